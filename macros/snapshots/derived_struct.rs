#[automatically_derived]
#[allow(deprecated)]
impl<'a, H> ::throughline::Message for Job<'a, H>
where
    H: ::throughline::Message,
{
    fn headers<'__m>(&'__m self, __reader: &mut ::throughline::HeaderReader<'__m>) {
        let Self { headers: __headers, .. } = self;
        ::throughline::Message::headers(&*__headers, __reader);
    }
    fn describe<'__m>(&'__m self, __facts: &mut ::throughline::Facts<'__m>) {
        let Self {
            headers: __headers,
            number: __number,
            conversation: __conversation,
            r#type: __type,
            ..
        } = self;
        ::throughline::Message::describe(&*__headers, __facts);
        __facts.system("shop");
        if let ::core::option::Option::Some(__told) = ::throughline::fact::display(
            &self.topic(),
        ) {
            __facts.destination(__told);
        }
        if let ::core::option::Option::Some(__told) = ::throughline::fact::text(
            &*__number,
        ) {
            __facts.id(__told);
        }
        if let ::core::option::Option::Some(__told) = ::throughline::fact::display(
            &*__conversation,
        ) {
            __facts.conversation_id(__told);
        }
        if let ::core::option::Option::Some(__told) = ::throughline::fact::size(
            &*__type,
        ) {
            __facts.body_size(__told);
        }
    }
}
#[automatically_derived]
#[allow(deprecated)]
impl<'a, H> ::throughline::MessageMut for Job<'a, H>
where
    Self: ::throughline::Message,
    H: ::throughline::MessageMut,
{
    fn set_header(
        &mut self,
        __name: &::core::primitive::str,
        __value: &::core::primitive::str,
    ) {
        let Self { headers: __headers, .. } = self;
        ::throughline::MessageMut::set_header(&mut *__headers, __name, __value)
    }
    fn remove_header(&mut self, __name: &::core::primitive::str) {
        let Self { headers: __headers, .. } = self;
        ::throughline::MessageMut::remove_header(&mut *__headers, __name)
    }
    fn can_set_header(
        &self,
        __name: &::core::primitive::str,
        __value: &::core::primitive::str,
    ) -> ::core::primitive::bool {
        let Self { headers: __headers, .. } = self;
        ::throughline::MessageMut::can_set_header(&*__headers, __name, __value)
    }
    fn set_context(
        &mut self,
        __context: &::throughline::TraceContext,
    ) -> ::core::primitive::bool {
        let Self { headers: __headers, .. } = self;
        ::throughline::MessageMut::set_context(&mut *__headers, __context)
    }
}

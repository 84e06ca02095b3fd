const _: () = {
    use company::throughline::private as __throughline;
    #[automatically_derived]
    #[allow(deprecated)]
    impl<P> __throughline::Message for Event<P>
    where
        Traced<P>: __throughline::Message,
    {
        fn headers<'__m>(&'__m self, __reader: &mut __throughline::HeaderReader<'__m>) {
            match self {
                Self::Placed { 0: __0, .. } => {
                    __throughline::Message::headers(&*__0, __reader);
                }
                Self::Tick { .. } => {}
            }
        }
        fn describe<'__m>(&'__m self, __facts: &mut __throughline::Facts<'__m>) {
            match self {
                Self::Placed { 0: __0, 1: __1, .. } => {
                    __throughline::Message::describe(&*__0, __facts);
                    __facts.system("shop");
                    if let ::core::option::Option::Some(__told) = __throughline::fact::text(
                        &*__1,
                    ) {
                        __facts.id(__told);
                    }
                }
                Self::Tick { .. } => {
                    __facts.system("shop");
                    __facts.destination("ticks");
                }
            }
        }
    }
};
const _: () = {
    use company::throughline::private as __throughline;
    #[automatically_derived]
    #[allow(deprecated)]
    impl<P> __throughline::MessageMut for Event<P>
    where
        Self: __throughline::Message,
        Traced<P>: __throughline::MessageMut,
    {
        fn set_header(
            &mut self,
            __name: &::core::primitive::str,
            __value: &::core::primitive::str,
        ) {
            match self {
                Self::Placed { 0: __0, .. } => {
                    __throughline::MessageMut::set_header(&mut *__0, __name, __value)
                }
                Self::Tick { .. } => {}
            }
        }
        fn remove_header(&mut self, __name: &::core::primitive::str) {
            match self {
                Self::Placed { 0: __0, .. } => {
                    __throughline::MessageMut::remove_header(&mut *__0, __name)
                }
                Self::Tick { .. } => {}
            }
        }
        fn can_set_header(
            &self,
            __name: &::core::primitive::str,
            __value: &::core::primitive::str,
        ) -> ::core::primitive::bool {
            match self {
                Self::Placed { 0: __0, .. } => {
                    __throughline::MessageMut::can_set_header(&*__0, __name, __value)
                }
                Self::Tick { .. } => true,
            }
        }
        fn set_context(
            &mut self,
            __context: &__throughline::TraceContext,
        ) -> ::core::primitive::bool {
            match self {
                Self::Placed { 0: __0, .. } => {
                    __throughline::MessageMut::set_context(&mut *__0, __context)
                }
                Self::Tick { .. } => false,
            }
        }
    }
};

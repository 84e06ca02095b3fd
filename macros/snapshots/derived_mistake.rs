::core::compile_error! {
    "unknown option `haeders`: did you mean `headers`?"
}
#[automatically_derived]
#[allow(deprecated)]
impl<H> ::throughline::Message for Job<H> {
    fn headers<'__m>(&'__m self, _: &mut ::throughline::HeaderReader<'__m>) {}
}
::core::compile_error! {
    "unknown option `haeders`: did you mean `headers`?"
}
#[automatically_derived]
#[allow(deprecated)]
impl<H> ::throughline::MessageMut for Job<H>
where
    Self: ::throughline::Message,
{
    fn set_header(&mut self, _: &::core::primitive::str, _: &::core::primitive::str) {}
    fn remove_header(&mut self, _: &::core::primitive::str) {}
}

pub fn report(_: &super::report::Report) -> String {
    String::new()
}
pub fn summaries(_: &super::summaries::Summaries) -> String {
    String::new()
}

//! The trace header of AWS X-Ray, which Amazon's services write themselves.
//!
//! Source: <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>, "Tracing header".

use crate::propagation::traceparent;

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1` as a `traceparent`.
///
/// A header without a parent names no span. What is not decided yet, as in `Sampled=?`, counts as not
/// sampled: the one that decides later would not find this span.
pub(super) fn traceparent(header: &str) -> Option<String> {
    let part = |key| {
        let mut parts = header.split(';').filter_map(|part| part.trim().split_once('='));
        parts.find_map(|(known, value)| (known == key).then_some(value))
    };
    let (time, unique) = part("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = part("Parent")?;
    let sampled = u8::from(part("Sampled") == Some("1"));
    let traceparent = format!("00-{time}{unique}-{parent}-0{sampled}");
    traceparent::parse(traceparent.as_bytes()).is_some().then_some(traceparent)
}

#[cfg(test)]
mod tests {
    use super::traceparent;

    #[test]
    fn it_is_read_whatever_else_is_in_it() {
        let sampled = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(traceparent(header).as_deref(), Some(sampled));
        let header = "Self=1-67891234-12456789abcdef012345678; Sampled=1; Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2; \
                      Parent=53995c3f42cd8ad8; Root=1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(traceparent(header).as_deref(), Some(sampled));
    }

    #[test]
    fn what_is_not_decided_is_not_sampled() {
        for undecided in ["", ";Sampled=0", ";Sampled=?"] {
            let header = format!(
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8{undecided}"
            );
            let unsampled = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00";
            assert_eq!(traceparent(&header).as_deref(), Some(unsampled));
        }
    }

    #[test]
    fn what_names_no_span_is_none() {
        for header in [
            "",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e98-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=zz",
        ] {
            assert_eq!(traceparent(header), None, "{header}");
        }
    }
}

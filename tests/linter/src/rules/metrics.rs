//! What holds for a metric.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use super::{Report, attributes, requirements};

pub(super) fn check(report: &mut Report<'_>, metric: &Metric) {
    let registry = report.registry;
    let declared = registry.metrics().get(&metric.name);
    let (instrument, points) = measured(metric.data.as_ref());
    match declared {
        None => report.violation("missing_metric", "it is not declared"),
        Some(declared) => {
            if instrument != declared.instrument {
                let expected = &declared.instrument;
                let message = format!("it is a {instrument}, and should be a {expected}");
                report.violation("unexpected_instrument", message);
            }
            if metric.unit != declared.unit {
                let message =
                    format!("its unit is `{}`, and should be `{}`", metric.unit, declared.unit);
                report.violation("unit_mismatch", message);
            }
        }
    }
    for point in points {
        attributes::check(report, point);
        let Some(declared) = declared else { continue };
        requirements::check(report, &declared.attributes, point);
        // Each further attribute multiplies what has to be kept.
        for key in
            point.iter().map(|it| &it.key).filter(|key| !declared.attributes.contains_key(*key))
        {
            report.violation("unrelated_attribute", format!("`{key}` is not of this metric"));
        }
    }
}

/// The instrument, and the attributes of each point.
fn measured(data: Option<&Data>) -> (&'static str, Vec<&[KeyValue]>) {
    match data {
        Some(Data::Sum(sum)) => {
            let instrument = if sum.is_monotonic { "counter" } else { "updowncounter" };
            (instrument, sum.data_points.iter().map(|it| it.attributes.as_slice()).collect())
        }
        Some(Data::Gauge(gauge)) => {
            ("gauge", gauge.data_points.iter().map(|it| it.attributes.as_slice()).collect())
        }
        Some(Data::Histogram(histogram)) => {
            ("histogram", histogram.data_points.iter().map(|it| it.attributes.as_slice()).collect())
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            ("histogram", histogram.data_points.iter().map(|it| it.attributes.as_slice()).collect())
        }
        Some(Data::Summary(_)) | None => ("measurement of no kind that is known", Vec::new()),
    }
}

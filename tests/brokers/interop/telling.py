"""What the scripts beside this file share: each line that they print is an object of JSON with one key, which says
what the line is about. Every span that ends is told as `{"span": ..}`, as the SDK's exporter has it."""

import json

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, format_span_id, format_trace_id


def tell(what, fact):
    print(json.dumps({what: fact}), flush=True)


def tell_spans():
    """Makes the global provider one that tells each span when it ends."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_Telling()))
    trace.set_tracer_provider(provider)
    return provider.get_tracer("interop")


class _Telling(SpanExporter):
    def export(self, spans):
        for span in spans:
            tell("span", _facts(span))
        return SpanExportResult.SUCCESS


def _facts(span: ReadableSpan):
    return {
        "name": span.name,
        "kind": span.kind.name.lower(),
        **_ids(span.context),
        "parent": _ids(span.parent) if span.parent else None,
        "links": [_ids(link.context) for link in span.links],
        "attributes": dict(span.attributes or {}),
    }


def _ids(context: SpanContext):
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}

"""`kafka.py produce SERVERS TOPIC` sends one record from within a request; `kafka.py consume SERVERS TOPIC` handles one.
Both by confluent-kafka, with OpenTelemetry's instrumentation for it."""

import sys

import confluent_kafka
from opentelemetry import baggage, context, propagate
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
from opentelemetry.instrumentation.confluent_kafka.utils import KafkaContextGetter

from telling import tell, tell_spans


def produce(tracer, servers, topic):
    producer = confluent_kafka.Producer({"bootstrap.servers": servers})
    context.attach(baggage.set_baggage("tenant", "Größe&Söhne,Hamburg"))
    with tracer.start_as_current_span("request"):
        producer.produce(topic, b"two lemons", "order-7", headers=[("shop", b"corner")])
    tell("left", producer.flush(30))


def consume(tracer, servers, topic):
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": f"python-{topic}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    record = None
    while record is None:
        record = consumer.poll(0.5)
    if record.error():
        raise confluent_kafka.KafkaException(record.error())
    with tracer.start_as_current_span("charge"):
        pass
    headers = [(name, value and value.decode()) for name, value in record.headers()]
    carried = propagate.extract(record.headers(), getter=KafkaContextGetter())
    tell("record", {"headers": headers, "baggage": dict(baggage.get_all(carried))})
    consumer.close()


if __name__ == "__main__":
    tracer = tell_spans()
    ConfluentKafkaInstrumentor().instrument()
    role, servers, topic = sys.argv[1:]
    {"produce": produce, "consume": consume}[role](tracer, servers, topic)

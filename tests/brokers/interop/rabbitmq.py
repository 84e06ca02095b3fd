"""`rabbitmq.py produce ADDRESS QUEUE` sends one message from within a request; `rabbitmq.py consume ADDRESS QUEUE`
handles one. Both by pika, with OpenTelemetry's instrumentation for it."""

import sys

import pika
from opentelemetry import baggage, context
from opentelemetry.instrumentation.pika import PikaInstrumentor

from telling import tell, tell_spans


def produce(tracer, channel, queue):
    channel.confirm_delivery()
    context.attach(baggage.set_baggage("tenant", "Größe&Söhne,Hamburg"))
    with tracer.start_as_current_span("request"):
        properties = pika.BasicProperties(message_id="A-1", headers={"shop": "corner"})
        channel.basic_publish("", queue, b"two lemons", properties)


def consume(tracer, channel, queue):
    def charge(channel, method, properties, body):
        with tracer.start_as_current_span("charge"):
            tell(
                "message",
                {
                    "body": body.decode(),
                    "headers": properties.headers,
                    "content_type": properties.content_type,
                    "baggage": dict(baggage.get_all()),
                },
            )
        channel.stop_consuming()

    channel.queue_declare(queue, exclusive=True)
    channel.basic_consume(queue, charge, auto_ack=True)
    tell("listening", True)
    channel.start_consuming()


if __name__ == "__main__":
    tracer = tell_spans()
    PikaInstrumentor().instrument()
    role, address, queue = sys.argv[1:]
    host, port = address.split(":")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
    {"produce": produce, "consume": consume}[role](tracer, connection.channel(), queue)
    connection.close()

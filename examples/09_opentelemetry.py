"""You have OpenTelemetry: one processor more, and Raindrop gets the AI spans of any instrumentation.

Shows:   the other exporter keeps all it had, and gets our spans as well; Raindrop gets those that are about AI
Run:     RAINDROP_WRITE_KEY=... python examples/09_opentelemetry.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 1 event, 2 spans
"""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import raindrop_logging
from raindrop_logging.otel import RaindropSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: f"{span.name}\n")))
provider.add_span_processor(RaindropSpanProcessor())
trace.set_tracer_provider(provider)
raindrop_logging.init()

tracer = trace.get_tracer("stands.for.any.instrumentation")
with tracer.start_as_current_span("GET /chat"):  # a server's span: the other exporter's, none of Raindrop's
    turn = raindrop_logging.begin(user_id="ada", event="chat", input="Where is my parcel?")
    with turn.task_span("answer"), tracer.start_as_current_span("openai.chat") as call:
        call.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"})
        call.set_attributes({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3})
    turn.finish(output="In Lyon.", model="gpt-4o-mini")

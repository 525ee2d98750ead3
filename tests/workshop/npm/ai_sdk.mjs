// Runs the official package `@raindrop-ai/ai-sdk` around the AI SDK with a model that answers from memory.
// Argument: the endpoint.
import * as ai from "ai";
import { MockLanguageModelV3, simulateReadableStream } from "ai/test";
import { createRaindropAISDK, eventMetadata } from "@raindrop-ai/ai-sdk";

const endpoint = process.argv[2];
process.env.RAINDROP_LOCAL_DEBUGGER = endpoint;
const raindrop = createRaindropAISDK({ writeKey: "canary-npm-key", endpoint, projectId: "npm-shop" });
const { generateText, streamText } = raindrop.wrap(ai, { context: { userId: "u1", convoId: "c1", eventName: "chat" } });

const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};
const telemetry = (eventId) => ({ isEnabled: true, metadata: eventMetadata({ eventId, userId: "u1" }) });
const words = (text) => ({
  content: [{ type: "text", text }],
  finishReason: { unified: "stop", raw: "stop" },
  usage,
  warnings: [],
});
const call = (toolName, input) => ({
  content: [{ type: "tool-call", toolCallId: "call-1", toolName, input: JSON.stringify(input) }],
  finishReason: { unified: "tool-calls", raw: "tool_calls" },
  usage,
  warnings: [],
});
const answering = (...answers) => new MockLanguageModelV3({ modelId: "m-1", doGenerate: async () => answers.shift() });
const tools = {
  search: {
    description: "finds",
    inputSchema: ai.jsonSchema({ type: "object", properties: { q: { type: "string" } } }),
    execute: async ({ q }) => {
      if (q === "broken") throw new Error("no route");
      return { hits: [q] };
    },
  },
};

await generateText({
  model: answering(call("search", { q: "cats" }), words("found cats")),
  prompt: "find cats",
  tools,
  stopWhen: ai.stepCountIs(3),
  experimental_telemetry: telemetry("g-1"),
});
await generateText({
  model: answering(call("search", { q: "broken" }), words("could not")),
  prompt: "find nothing",
  tools,
  stopWhen: ai.stepCountIs(3),
  experimental_telemetry: telemetry("g-2"),
});
const streamed = streamText({
  model: new MockLanguageModelV3({
    modelId: "m-2",
    doStream: async () => ({
      stream: simulateReadableStream({
        chunks: [
          { type: "stream-start", warnings: [] },
          { type: "text-start", id: "t" },
          { type: "text-delta", id: "t", delta: "Hello, " },
          { type: "text-delta", id: "t", delta: "world" },
          { type: "text-end", id: "t" },
          { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage },
        ],
      }),
    }),
  }),
  prompt: "greet",
  experimental_telemetry: telemetry("s-1"),
});
await streamed.consumeStream();

const turn = raindrop.traces.startSpan({ name: "agent_turn", eventId: "g-1" });
raindrop.traces.createSpan({
  name: "grep",
  eventId: "g-1",
  parent: turn,
  operationId: "ai.toolCall",
  input: { pattern: "x" },
  output: { matches: 12 },
  durationMs: 12,
});
raindrop.traces.endSpan(turn, { error: new Error("gave up") });

await raindrop.signals.track({ eventId: "g-1", name: "thumbs_up", sentiment: "POSITIVE" });
await raindrop.users.identify({ userId: "u1", traits: { plan: "pro" } });
await raindrop.flush();
await raindrop.shutdown();

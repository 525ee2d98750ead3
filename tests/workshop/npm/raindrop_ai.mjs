// Says one of everything that the official package `raindrop-ai` can say.
// Arguments: the endpoint; the way of its tools, `direct` or `otel`.
import Raindrop from "raindrop-ai";

const endpoint = process.argv[2];
process.env.RAINDROP_LOCAL_DEBUGGER = endpoint; // where live steps go, whatever the constructor is given
const raindrop = new Raindrop({
  writeKey: "canary-npm-key",
  endpoint,
  localWorkshopUrl: endpoint,
  projectId: "npm-shop",
  bypassOtelForTools: process.argv[3] === "direct",
  bufferTimeout: 50,
});

raindrop.trackAi({
  eventId: "ai-1",
  userId: "u1",
  event: "chat",
  model: "gpt-4o",
  input: "question 漢字",
  output: "answer",
  convoId: "c1",
  timestamp: "2026-05-07T19:00:00+02:00",
  properties: { plan: "pro", nested: { a: [1, true] } },
  attachments: [
    { type: "code", value: "x = 1", role: "output", language: "python", name: "x.py" },
    { type: "text", value: "a note", role: "input", attachment_id: "3f2b8f0e-8d5c-4c6a-9f57-0a1b2c3d4e5f" },
    { type: "image", value: "https://example.com/x.png", role: "output" },
    { type: "iframe", value: "https://example.com/", role: "output" },
  ],
});
raindrop.trackAi([
  { eventId: "ai-2", userId: "u1", event: "chat", input: "one of two" },
  { eventId: "ai-3", userId: "u1", event: "chat", output: "two of two" },
]);
raindrop.trackSignal({ eventId: "ai-1", name: "thumbs_up", sentiment: "POSITIVE" });
raindrop.trackSignal([
  { eventId: "ai-1", name: "feedback", type: "feedback", comment: "good", sentiment: "NEGATIVE" },
  { eventId: "ai-1", name: "edited", type: "edit", after: "better" },
]);
raindrop.selfDiagnose({ eventId: "ai-2", description: "no such tool", category: "missing_tool" });
raindrop.setUserDetails({ userId: "u1", traits: { name: "Jane", age: 3 } });

const interaction = raindrop.begin({
  eventId: "i-1",
  userId: "u2",
  event: "agent",
  input: "go",
  convoId: "c2",
  model: "m",
});
interaction.setProperty("region", "eu");
interaction.addAttachments([{ type: "text", value: "context", role: "input" }]);
const span = interaction.startToolSpan({ name: "manual_tool", inputParameters: { q: 1 } });
span.setOutput({ hits: 2 });
span.end();
interaction.trackTool({ name: "tracked_tool", input: { a: 1 }, output: "text", durationMs: 12 });
interaction.trackTool({ name: "broken_tool", input: {}, error: new Error("no route") });
await interaction.withSpan({ name: "outer" }, async () => {
  await interaction.withTool({ name: "inner", inputParameters: { q: 2 } }, async () => "found");
});
interaction.emitLiveEvent({ traceId: "8351249bb0a5be11bd049b4a17a2bb64", type: "text_delta", content: "do" });
await interaction.finish({ output: "done" });

raindrop.begin({ eventId: "i-2", userId: "u2", event: "left_open", input: "never finished" });
await raindrop.forceFlush();
await raindrop.close();

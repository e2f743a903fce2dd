// SPDX-License-Identifier: Apache-2.0
// The unmodified npm package `openai` against a running server. Run by openai_node_test.py, which says where both are.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import test from "node:test";

const { default: OpenAI } = await import(pathToFileURL(process.env.OPENAI_PACKAGE).href);

const connect = (apiKey) => new OpenAI({ baseURL: process.env.CORTEX_URL + "/v1", apiKey, maxRetries: 0, timeout: 120_000 });
const client = connect("none");
const CITY = [{ role: "user", content: "What is the capital of France? Answer in one sentence." }];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 20 } },
      required: ["city"],
      additionalProperties: false,
    },
    strict: true,
  },
};
const OSLO = {
  messages: [{ role: "user", content: "What is the weather in Oslo?" }],
  tools: [WEATHER],
  tool_choice: "required",
  parallel_tool_calls: false,
  max_tokens: 80,
};

const ask = (options) => ({ model: "smollm2", messages: CITY, temperature: 0, max_tokens: 24, ...options });

test("a chat", async () => {
  const answer = await client.chat.completions.create(ask());
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.model, "smollm2");
  assert.equal(answer.choices.length, 1);
  assert.equal(answer.choices[0].message.role, "assistant");
  assert.match(answer.choices[0].message.content, /Paris/);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("a stream says what the whole says", async () => {
  const stream = await client.chat.completions.create(ask({ stream: true, stream_options: { include_usage: true } }));
  const ids = new Set();
  let text = "";
  let usage = null;
  for await (const chunk of stream) {
    ids.add(`${chunk.id} ${chunk.created}`);
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(ids.size, 1);
  assert.ok(usage.completion_tokens > 0);
  assert.equal(text, (await client.chat.completions.create(ask())).choices[0].message.content);
});

test("the package puts a stream together by itself", async () => {
  const runner = client.chat.completions.stream(ask());
  let heard = "";
  runner.on("content", (delta) => (heard += delta));
  const whole = await runner.finalChatCompletion();
  assert.equal(whole.choices[0].message.content, heard);
  assert.match(heard, /Paris/);
});

test("a stream that is aborted ends at once", async () => {
  const stream = await client.chat.completions.create(ask({ stream: true, max_tokens: 2000, ignore_eos: true }));
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    stream.controller.abort();
    break;
  }
  const began = Date.now();
  await client.chat.completions.create(ask({ max_tokens: 1 }));
  assert.ok(Date.now() - began < 20_000);
});

test("a call that is asked for is made", async () => {
  const answer = await client.chat.completions.create(ask(OSLO));
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(call.type, "function");
  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)), ["city"]);
  assert.equal(answer.choices[0].finish_reason, "tool_calls");
});

test("a streamed call is the whole call", async () => {
  const whole = await client.chat.completions.create(ask(OSLO));
  const streamed = await client.chat.completions.stream(ask(OSLO)).finalChatCompletion();
  const said = (answer) => [answer.choices[0].message.tool_calls[0].function.name, answer.choices[0].message.tool_calls[0].function.arguments];
  assert.deepEqual(said(streamed), said(whole));
});

test("the package runs a tool and hands its answer back", async () => {
  const cities = [];
  const run = (argument) => {
    cities.push(JSON.parse(argument).city);
    return "It rains.";
  };
  const runner = client.chat.completions.runTools(
    ask({ ...OSLO, tool_choice: { type: "function", function: { name: "get_weather" } }, tools: [{ ...WEATHER, function: { ...WEATHER.function, function: run } }] }),
  );
  await runner.done();
  assert.equal(cities.length, 1);
  assert.ok(runner.messages.some((message) => message.role === "tool" && message.content === "It rains."));
});

test("an answer follows a schema", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string", maxLength: 20 }, age: { type: "integer", minimum: 0, maximum: 150 } },
    required: ["name", "age"],
    additionalProperties: false,
  };
  const answer = await client.chat.completions.parse(
    ask({
      messages: [{ role: "user", content: "Make up a person." }],
      max_tokens: 80,
      response_format: { type: "json_schema", json_schema: { name: "person", schema, strict: true } },
    }),
  );
  const person = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(person).sort(), ["age", "name"]);
  assert.ok(Number.isInteger(person.age) && person.age >= 0 && person.age <= 150);
});

test("a completion", async () => {
  const asked = { model: "smollm2", prompt: "The capital of France is", max_tokens: 4, temperature: 0 };
  const answer = await client.completions.create(asked);
  assert.match(answer.choices[0].text, /Paris/);
  let text = "";
  for await (const chunk of await client.completions.create({ ...asked, stream: true })) text += chunk.choices[0]?.text ?? "";
  assert.equal(text, answer.choices[0].text);
});

test("sentences that mean the same are near", async () => {
  const input = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again in March."];
  // The package asks for base64 where no format is named, and takes it apart.
  const { data, usage } = await client.embeddings.create({ model: "minilm", input });
  const [cat, kitten, rates] = data.map((item) => item.embedding);
  const near = (left, right) => left.reduce((sum, value, i) => sum + value * right[i], 0);
  assert.equal(cat.length, 384);
  assert.ok(near(cat, kitten) > 0.5 && near(cat, rates) < 0.3);
  assert.ok(usage.prompt_tokens > 10);
  const plain = await client.embeddings.create({ model: "minilm", input: input[0], encoding_format: "float" });
  plain.data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - cat[i]) < 1e-3));
});

test("models are listed and found", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("smollm2") && names.includes("minilm"));
  assert.equal((await client.models.retrieve("smollm2")).object, "model");
});

test("refusals are the package's own errors", async () => {
  await assert.rejects(client.chat.completions.create(ask({ model: "nobody" })), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    return error.code === "model_not_found";
  });
  await assert.rejects(client.chat.completions.create(ask({ temperature: 3 })), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return error.param === "temperature" && error.type === "invalid_request_error";
  });
  await assert.rejects(
    client.chat.completions.create(ask({ messages: [{ role: "user", content: "word ".repeat(9000) }], stream: true })),
    (error) => error.code === "context_length_exceeded",
  );
});

import { assert, assertEquals, assertRejects } from "@std/assert";
import { client, method, RpcError, RpcPeer, type Schema, serve } from "./mod.ts";
import { link } from "./testdata/link.ts";

const libraries = await import("./testdata/schemas.ts").catch(() => undefined);

interface Person {
  name: string;
  age: number;
}

interface Api {
  add(a: number, b: number): number;
  greet(person: Person): string;
  optional(a: number, b?: number): number;
  count(to: number): AsyncIterable<number>;
  wrong(): number;
}

/** What the libraries make, by hand. */
function check<T>(
  description: string,
  accepts: (value: unknown) => boolean,
  asynchronous = false,
): Schema<T> {
  return {
    "~standard": {
      version: 1,
      vendor: "by hand",
      validate(value) {
        const result = accepts(value)
          ? { value: value as T }
          : { issues: [{ message: `Expected ${description}`, path: [{ key: "deep" }, 0] }] };
        return asynchronous ? Promise.resolve(result) : result;
      },
    },
  };
}

interface Schemas {
  number: Schema<number>;
  maybe: Schema<number | undefined>;
  person: Schema<Person>;
  text: Schema<string>;
}

const isNumber = (value: unknown) => typeof value === "number";
const isPerson = (value: unknown) =>
  typeof value === "object" && value !== null && "name" in value && "age" in value;

const byHand: Schemas = {
  number: check("number", isNumber),
  maybe: check("number or nothing", (value) => value === undefined || isNumber(value)),
  person: check("person", isPerson),
  text: check("text", (value) => typeof value === "string"),
};

const kinds: [name: string, schemas: Schemas | undefined][] = [
  ["by hand", byHand],
  ["by hand, asynchronous", { ...byHand, number: check("number", isNumber, true) }],
];
if (libraries !== undefined) {
  const { z, v } = libraries;
  kinds.push(["zod", {
    number: z.number(),
    maybe: z.number().optional(),
    person: z.object({ name: z.string(), age: z.number() }),
    text: z.string(),
  }], ["valibot", {
    number: v.number(),
    maybe: v.optional(v.number()),
    person: v.object({ name: v.string(), age: v.number() }),
    text: v.string(),
  }]);
} else kinds.push(["zod", undefined], ["valibot", undefined]);

function start({ number, maybe, person, text }: Schemas, onError?: (error: unknown) => void) {
  const [here, there] = link();
  const server = serve<Api>(there, {
    add: method((a, b) => a + b, {
      params: { a: number, b: number },
      result: number,
      summary: "Adds two numbers",
    }),
    greet: method((person) => `Hello ${person.name}`, { params: { person }, result: text }),
    optional: method((a, b = 10) => a + b, { params: { a: number, b: maybe } }),
    count: method(async function* (to) {
      for (let at = 1; at <= to; at++) yield at === 3 ? "three" as unknown as number : at;
    }, { params: { to: number }, result: number }),
    wrong: method(() => "text" as unknown as number, { result: number }),
  }, { info: { title: "Sums", version: "1.2.3" }, onError });
  const peer = new RpcPeer(here);
  return { api: client<Api>(peer), peer, [Symbol.dispose]: () => (peer.close(), server.close()) };
}

for (const [name, schemas] of kinds) {
  Deno.test({
    name: `schemas keep the border: ${name}`,
    ignore: schemas === undefined,
    async fn() {
      const heard: unknown[] = [];
      using both = start(schemas!, (error) => heard.push(error));
      const { api, peer } = both;
      assertEquals(await api.add(1, 2), 3);
      assertEquals(await peer.call("add", { b: 2, a: 1 }), 3);
      assertEquals(await api.greet({ name: "Ada", age: 36 }), "Hello Ada");
      assertEquals([await api.optional(1), await api.optional(1, 2)], [11, 3]);
      assertEquals(await peer.call("optional", { a: 1 }), 11);
      const refused: [method: string, params: unknown[] | object, path: unknown][] = [
        ["add", [1, "2"], "b"],
        ["add", [1], "b"],
        ["add", ["1", 2], "a"],
        ["add", { a: 1 }, "b"],
        ["add", { a: 1, b: 2, c: 3 }, "c"],
        ["add", JSON.parse('{"a":1,"b":2,"__proto__":3}'), "__proto__"],
        ["greet", [{ name: "Ada" }], "person"],
      ];
      for (const [method, params, path] of refused) {
        const error = await assertRejects(() => peer.call(method, params), RpcError, "Invalid params");
        const issues = error.data as { message: string; path: unknown[] }[];
        assertEquals([error.code, issues.length, issues[0]!.path[0]], [-32602, 1, path]);
        assertEquals(typeof issues[0]!.message, "string");
      }
      assertEquals((await assertRejects(() => peer.call("add", [1, 2, 3]), RpcError)).code, -32602);
      assertEquals((await assertRejects(() => peer.call("add"), RpcError)).data instanceof Array, true);
      assertEquals((await assertRejects(() => api.wrong(), RpcError)).code, -32603);
      const values: number[] = [];
      const error = await assertRejects(async () => {
        for await (const value of api.count(5)) values.push(value);
      }, RpcError);
      assertEquals([values, error.code], [[1, 2], -32603]);
      assert(heard.length > 0);
    },
  });
}

Deno.test("rpc.discover answers an OpenRPC document", async () => {
  using both = start(byHand);
  const document = await both.peer.call("rpc.discover") as Record<string, unknown>;
  assertEquals(document.openrpc, "1.3.2");
  assertEquals(document.info, { title: "Sums", version: "1.2.3" });
  const methods = document.methods as { name: string }[];
  assertEquals(methods.map(({ name }) => name), ["add", "greet", "optional", "count", "wrong"]);
  assertEquals(methods[0], {
    name: "add",
    summary: "Adds two numbers",
    params: [{ name: "a", required: true, schema: {} }, { name: "b", required: true, schema: {} }],
    result: { name: "result", schema: {} },
  } as unknown as { name: string });
  assertEquals(
    (methods[2] as unknown as { params: { required: boolean }[] }).params.map((param) => param.required),
    [
      true,
      false,
    ],
  );
});

Deno.test({
  name: "rpc.discover has the JSON Schema of libraries that can say it",
  ignore: libraries === undefined,
  async fn() {
    using both = start(kinds.find(([name]) => name === "zod")![1]!);
    const { methods } = await both.peer.call("rpc.discover") as {
      methods: { params: { schema: object }[] }[];
    };
    assertEquals((methods[0]!.params[0]!.schema as { type: string }).type, "number");
    const person = methods[1]!.params[0]!.schema as { type: string; required: string[] };
    assertEquals([person.type, person.required], ["object", ["name", "age"]]);
  },
});

Deno.test("without a title there is nothing to discover, and reserved names cannot be served", async () => {
  const [here, there] = link();
  using server = serve<{ add(): number }>(there, { add: () => 1 });
  using peer = new RpcPeer(here);
  assertEquals((await assertRejects(() => peer.call("rpc.discover"), RpcError)).code, -32601);
  for (const handlers of [{ "rpc.mine": () => 1 }, { add: () => 2 }, { text: "none" }, { none: null }]) {
    let error: unknown;
    try {
      server.serve(handlers);
    } catch (caught) {
      error = caught;
    }
    assert(error instanceof TypeError, JSON.stringify(handlers));
  }
});

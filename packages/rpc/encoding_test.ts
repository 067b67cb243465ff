/** What is encoded together, and read by a shortcut, is what it would be one by one. */

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Encoder, isLonger, utf8Length } from "./_encoder.ts";
import { limitsOf } from "./_limits.ts";
import { Reader } from "./_reader.ts";
import { Shortcut } from "./_shortcut.ts";
import { encodeValue, type OutPort } from "./_values.ts";

const decoder = new TextDecoder();

Deno.test("texts that are encoded together are the same as alone", () => {
  const text = fc.oneof(
    { weight: 5, arbitrary: fc.string({ maxLength: 50 }) },
    fc.string({ unit: "binary", maxLength: 50 }),
    fc.integer({ min: 2040, max: 2060 }).map((length) => "x".repeat(length)),
    fc.constant("y".repeat(20_000)),
  );
  for (const shared of [true, false]) {
    const encoder: Encoder = new Encoder(shared);
    fc.assert(fc.property(fc.array(text, { maxLength: 40 }), (texts) => {
      const messages: (Uint8Array | string)[] = texts.map((text, index) => {
        return index % 7 === 3 ? new TextEncoder().encode(text) : text;
      });
      encoder.encodeAll(messages);
      // What was encoded earlier is looked at after what was encoded later.
      assertEquals(messages.map((message) => decoder.decode(message as Uint8Array)), texts.map(wellFormed));
    }));
  }
});

/** A lone surrogate has no bytes of its own. */
function wellFormed(text: string): string {
  return decoder.decode(new TextEncoder().encode(text));
}

Deno.test("what the shortcut reads, JSON.parse reads as well, and the same", () => {
  const shortcut = new Shortcut();
  shortcut.learn({ method: "add" });
  shortcut.learn({ method: 'quoted "name"' });
  const value = fc.json({ maxDepth: 3 });
  const id = fc.oneof(
    fc.nat().map(String),
    fc.constantFrom("", "01", "-1", "1.5", "1e3", '"a"', "9".repeat(17)),
  );
  const end = fc.constantFrom("}", "}", "}", "", "} ", "}}", ',"extra":1}', ',"result":2}', "]}");
  const answer = fc.tuple(id, value, end).map(([id, value, end]) => {
    return `{"jsonrpc":"2.0","id":${id},"result":${value}${end}`;
  });
  const name = fc.constantFrom("add", "add", "other", 'quoted \\"name\\"', 'quoted "name"', "ad\nd", "");
  const request = fc.tuple(id, name, value, end).map(([id, name, value, end]) => {
    return `{"jsonrpc":"2.0","id":${id},"method":"${name}","params":${value}${end}`;
  });
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(answer, request), (text) => {
      const found = shortcut.read(text);
      if (found === undefined) return;
      read++;
      assertEquals(found, JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
  if (read === 0) throw new Error("It read none of them");
});

Deno.test("names of methods are learnt from messages that were read, and only so", () => {
  const reader = new Reader(limitsOf());
  const encode = (text: string) => new TextEncoder().encode(text);
  // Not the text of a name: its third unit has to be escaped.
  const broken = '{"jsonrpc":"2.0","id":1,"method":"ad\nd","params":[1]}';
  for (let time = 0; time < 2; time++) {
    const whole = '{"jsonrpc":"2.0","id":1,"method":"ad\\nd","params":[1]}';
    assertEquals(reader.read(encode(whole)).value, JSON.parse(whole));
    assertThrows(() => reader.read(encode(broken)), Error, "Parse error");
  }
});

Deno.test("the length of a text is that of its bytes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 20 }), fc.nat(70), (text, limit) => {
    const { length } = new TextEncoder().encode(text);
    assertEquals(utf8Length(text), length);
    assertEquals(isLonger(text, limit), length > limit);
  }));
  for (const half of ["\ud83d", "\ude00", "\ude00\ud83d", "\ud83d\ude00\ude00"]) {
    assertEquals(utf8Length(half), new TextEncoder().encode(half).length);
  }
});

Deno.test("what is nested in itself, or deeper than allowed, is refused at once", () => {
  const parent: Record<string, unknown> = {};
  parent.kids = [{ parent }, { parent }, { parent }];
  const taken: string[] = [];
  const port: OutPort = {
    bytes: () => undefined,
    callback: () => taken.push("callback"),
    stream: () => taken.push("stream"),
    undo: () => void taken.splice(0),
  };
  for (const value of [parent, [() => {}, parent]]) {
    assertThrows(() => encodeValue(value, port), TypeError, "nested too deeply, or in itself");
    assertEquals(taken, []);
  }
  assertEquals(encodeValue([[[1]]], port, 3), "[[[1]]]");
  assertThrows(() => encodeValue([[[1]]], port, 2), TypeError);
  assertEquals(encodeValue([[() => {}]], port, 3), '[[{"$/callback":1}]]');
  assertThrows(() => encodeValue([[() => {}]], port, 2), TypeError);
});

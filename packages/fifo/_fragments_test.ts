import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Bytes,
  DecodeError,
  IpcError,
  LimitError,
  MessageTooLongError,
  TruncatedError,
} from "@ipc/core";
import {
  FIRST,
  FragmentDecoder,
  HEADER,
  LAST,
  LONGEST_PIECE,
  LONGEST_WHOLE,
  LONGEST_WRITE,
  PREFIX,
  writeHeader,
  writeU32,
} from "./_fragments.ts";

const SCALE = Number(Deno.env.get("IPC_TEST_SCALE") ?? 1);
const MAX = 1024 * 1024;

function random(below: number): number {
  return Math.floor(Math.random() * below);
}

function bytes(length: number, seed = length): Bytes {
  return Uint8Array.from({ length }, (_, index) => (seed * 31 + index * 7) & 0xff);
}

function whole(message: Uint8Array): Bytes {
  const frame = new Uint8Array(PREFIX + message.length);
  writeU32(frame, 0, message.length);
  frame.set(message, PREFIX);
  return frame;
}

function fragment(flags: number, writer: number, number: number, total: number, piece: Uint8Array): Bytes {
  const frame = new Uint8Array(HEADER + piece.length);
  writeHeader(frame, flags, piece.length, { writer, number, total });
  frame.set(piece, HEADER);
  return frame;
}

/** The writes that carry a message. */
function writes(message: Bytes, writer: number, number: number): Bytes[] {
  if (message.length <= LONGEST_WHOLE) return [whole(message)];
  const all: Bytes[] = [];
  for (let at = 0; at < message.length; at += LONGEST_PIECE) {
    const piece = message.subarray(at, at + LONGEST_PIECE);
    const flags = (at === 0 ? FIRST : 0) | (at + LONGEST_PIECE >= message.length ? LAST : 0);
    all.push(fragment(flags, writer, number, message.length, piece));
  }
  return all;
}

function join(pieces: Uint8Array[]): Bytes {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Everything that comes out of a stream which arrives in pieces that `cut` chooses. */
function decode(
  stream: Uint8Array,
  cut: () => number,
  decoder = new FragmentDecoder(MAX),
): (Bytes | IpcError)[] {
  const found: (Bytes | IpcError)[] = [];
  for (let at = 0; at < stream.length && !decoder.lost;) {
    const piece = stream.subarray(at, at + cut());
    at += piece.length;
    // As a read does, or as the reactor does.
    if (piece.length % 2 === 0) decoder.push(piece);
    else {
      for (let rest = piece; rest.length > 0;) {
        const room = decoder.room();
        const count = Math.min(room.length, rest.length);
        room.set(rest.subarray(0, count));
        decoder.commit(count);
        rest = rest.subarray(count);
        collect(decoder, found);
      }
    }
    collect(decoder, found);
  }
  return found;
}

function collect(decoder: FragmentDecoder, found: (Bytes | IpcError)[]): void {
  while (!decoder.lost) {
    try {
      const message = decoder.next();
      if (message === undefined) return;
      found.push(message);
    } catch (error) {
      if (!(error instanceof IpcError)) throw error;
      found.push(error);
    }
  }
}

/** The errors and lengths that a stream gives. */
function outcome(...frames: Uint8Array[]): (number | string)[] {
  return decode(join(frames), () => Infinity).map((found) =>
    found instanceof IpcError ? found.name : found.length
  );
}

/** The writes of several writers, in a random order that keeps each writer's own. */
function shuffle(count: number): { stream: Bytes; expected: Map<number, Bytes[]> } {
  const expected = new Map<number, Bytes[]>();
  const queues: Bytes[][] = [];
  for (let writer = 0; writer < 4; writer++) {
    const messages = Array.from({ length: count }, (_, number) => {
      const length = [random(20), random(5000), LONGEST_WHOLE + random(3) - 1, random(40_000)][random(4)]!;
      return join([new Uint8Array([writer]), bytes(length, writer * 100 + number)]);
    });
    expected.set(writer, messages);
    queues.push(messages.flatMap((message, number) => writes(message, 0xffff_fff0 + writer, number)));
  }
  const frames: Bytes[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    const frame = queues[random(4)]!.shift();
    if (frame !== undefined) frames.push(frame);
  }
  return { stream: join(frames), expected };
}

function assertAll(found: (Bytes | IpcError)[], expected: Map<number, Bytes[]>): void {
  for (const [writer, messages] of expected) {
    const got = found.filter((message) => message instanceof Uint8Array && message[0] === writer);
    assertEquals(got.length, messages.length);
    got.forEach((message, index) => assertEquals(message, messages[index]));
  }
}

Deno.test("fragments: no write is longer than what the kernel keeps whole", () => {
  for (const length of [0, LONGEST_WHOLE, LONGEST_WHOLE + 1, 100_000]) {
    for (const write of writes(bytes(length), 1, 1)) assert(write.length <= LONGEST_WRITE);
  }
});

Deno.test("fragments: several writers' messages come out whole, one byte at a time and all at once", () => {
  const { stream, expected } = shuffle(5);
  assertAll(decode(stream, () => 1), expected);
  assertAll(decode(stream, () => Infinity), expected);
});

Deno.test("fragments: any split of the stream gives the same messages", () => {
  const { stream, expected } = shuffle(5);
  for (let round = 0; round < Math.max(20, 1000 * SCALE); round++) {
    const most = 1 + random(2 ** (1 + random(17)));
    assertAll(decode(stream, () => 1 + random(most)), expected);
  }
});

Deno.test("fragments: messages handed out are never written again", () => {
  const messages = Array.from({ length: 1000 }, (_, index) => bytes(random(9000), index));
  const stream = join(messages.flatMap((message, index) => writes(message, 7, index)));
  // Compared only when everything has been through the decoder's memory.
  const found = decode(stream, () => 1 + random(70_000)) as Bytes[];
  messages.forEach((message, index) => assertEquals(found[index], message));
});

Deno.test("fragments: a total over the limit is told once, and the rest of it passed over", () => {
  const piece = bytes(1000);
  assertEquals(
    outcome(
      fragment(FIRST, 1, 1, MAX + 1, piece),
      whole(bytes(3)),
      fragment(0, 1, 1, MAX + 1, piece),
      fragment(LAST, 1, 1, MAX + 1, piece),
      ...writes(bytes(5000), 1, 2),
    ),
    ["MessageTooLongError", 3, 5000],
  );
  const small = new FragmentDecoder(100);
  small.push(join([whole(bytes(101)), whole(bytes(100))]));
  assertThrows(() => small.next(), MessageTooLongError, "has 101 bytes, the limit is 100");
  assertEquals(small.next(), bytes(100));
});

Deno.test("fragments: the rest of a message without its beginning is told once", () => {
  const [, second, third] = writes(bytes(10_000), 1, 1);
  assertEquals(outcome(second!, third!, ...writes(bytes(5000), 1, 2)), ["TruncatedError", 5000]);
  assertEquals(outcome(third!, third!), ["TruncatedError", "TruncatedError"]);
  assertEquals(outcome(second!, ...writes(bytes(5000), 1, 2)), ["TruncatedError", 5000]);
});

Deno.test("fragments: a message that its writer has given up makes room for the next without a word", () => {
  const [first, second] = writes(bytes(10_000), 1, 1);
  assertEquals(outcome(first!, second!, ...writes(bytes(5000), 1, 2)), [5000]);
});

Deno.test("fragments: what contradicts itself costs its own message only", () => {
  const piece = bytes(100);
  const next = writes(bytes(5000), 1, 9);
  const other = writes(bytes(6000), 2, 1);
  const begun = fragment(FIRST, 1, 1, 5000, piece);
  assertEquals(outcome(other[0]!, begun, fragment(LAST, 1, 1, 5000, piece), ...next, other[1]!), [
    "TruncatedError",
    5000,
    6000,
  ]);
  for (
    const bad of [
      fragment(0, 1, 2, 5000, piece),
      fragment(0, 1, 1, 5001, piece),
      fragment(LAST, 1, 2, 5000, piece),
    ]
  ) assertEquals(outcome(other[0]!, begun, bad, ...next, other[1]!), ["DecodeError", 5000, 6000]);
  assertEquals(outcome(fragment(FIRST, 1, 1, 99, piece), ...next), ["DecodeError", 5000]);
  assertEquals(outcome(fragment(FIRST | LAST, 1, 1, 0, new Uint8Array(0)), whole(piece)), [0, 100]);
});

Deno.test("fragments: what is neither a message nor a fragment loses the stream", () => {
  for (const word of [LONGEST_WHOLE + 1, FIRST, 0x6c6c6568, 0x9000_0000, 0x8000_0ff1, 0xffff_ffff]) {
    const decoder = new FragmentDecoder(MAX);
    const frame = new Uint8Array(8);
    writeU32(frame, 0, word);
    decoder.push(join([whole(bytes(2)), frame]));
    assertEquals(decoder.next(), bytes(2));
    const error = assertThrows(() => decoder.next(), DecodeError, "neither a message nor a fragment");
    assertEquals(error.data, frame);
    assertEquals(decoder.lost, true);
    assertThrows(() => decoder.next(), DecodeError);
  }
});

Deno.test("fragments: messages that begin and do not end have a limit", () => {
  const decoder = new FragmentDecoder(MAX);
  for (let writer = 0; writer < 1024; writer++) {
    decoder.push(fragment(FIRST, writer, 1, MAX, bytes(1)));
    assertEquals(decoder.next(), undefined);
  }
  decoder.push(fragment(FIRST, 5000, 1, 5000, bytes(1)));
  assertThrows(() => decoder.next(), LimitError, "1024 messages have begun and not ended");
  decoder.push(join([fragment(LAST, 5000, 1, 5000, bytes(4080)), whole(bytes(3))]));
  assertEquals(decoder.next(), bytes(3));
  assertEquals(decoder.open, 1024);
  assert(decoder.abandon(0) instanceof TruncatedError);
  assertEquals(decoder.abandon(0), undefined);
  decoder.push(join(writes(bytes(5000), 5000, 2)));
  assertEquals(decoder.next(), bytes(5000));
});

Deno.test("fragments: memory follows what has arrived, not what is claimed", () => {
  const before = Deno.memoryUsage().external;
  const decoder = new FragmentDecoder(0xffff_fffe);
  for (let writer = 0; writer < 100; writer++) {
    decoder.push(fragment(FIRST, writer, 1, 0xffff_fff0, bytes(1)));
    assertEquals(decoder.next(), undefined);
  }
  assert(Deno.memoryUsage().external - before < 64 * 1024 * 1024);
});

Deno.test("fragments: random bytes never hang it, nor does damage, nor do they fill memory", () => {
  const { stream } = shuffle(2);
  for (let round = 0; round < Math.max(200, 5000 * SCALE); round++) {
    const damaged = round % 2 === 0
      ? stream.slice()
      : crypto.getRandomValues(new Uint8Array(1 + random(9000)));
    for (let blow = random(20); blow > 0; blow--) damaged[random(damaged.length)] = random(256);
    const decoder = new FragmentDecoder(MAX);
    decode(damaged, () => 1 + random(10_000), decoder);
    assert(decoder.open <= 1024);
    for (const writer of decoder.writers()) decoder.abandon(writer);
    assertEquals(decoder.open, 0);
  }
});

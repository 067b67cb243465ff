import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, TimeoutError } from "../errors.ts";
import { pendingWaits } from "./_ladder.ts";
import type { Sink } from "./mechanism.ts";
import { BaseSender } from "./sender.ts";

/** A sink that takes so many messages, and then has no room until `wake`. */
class Room implements Sink {
  readonly maxMessageSize = 1024 * 1024;
  readonly begun = false;
  readonly taken: number[] = [];
  closed = 0;
  wake = () => {};

  constructor(public room = Infinity) {}

  put(message: Uint8Array): boolean {
    if (this.room === 0) return false;
    this.room--;
    this.taken.push(message[0]!);
    return true;
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park = (wake: () => void): () => void => {
    this.wake = wake;
    return () => this.wake = () => {};
  };

  end(): void {}

  close(): void {
    this.closed++;
  }
}

const message = (number: number) => new Uint8Array([number]);
const pause = (time = 0) => new Promise((resolve) => setTimeout(resolve, time));

Deno.test("BaseSender: a batch that its own iterator gives up is not sent, and the next send is", async () => {
  const sink = new Room();
  using sender = new BaseSender(sink);
  const controller = new AbortController();
  const batch = sender.sendBatch(
    function* () {
      controller.abort(new Error("Enough"));
      yield message(1);
    }(),
    { signal: controller.signal },
  );
  const next = sender.send(message(2));
  await assertRejects(() => batch, Error, "Enough");
  await next;
  assertEquals(sink.taken, [2]);
});

Deno.test("BaseSender: a batch whose iterator closes the sender puts nothing into what is closed", async () => {
  const sink = new Room();
  const sender = new BaseSender(sink);
  const batch = sender.sendBatch(function* () {
    yield message(1);
    sender.close();
    yield message(2);
  }());
  await assertRejects(() => batch, ClosedError);
  assertEquals([sink.taken, sink.closed], [[], 1]);
});

Deno.test("BaseSender: a batch without end lets timers run, and ends with its time", async () => {
  const sink = new Room();
  using sender = new BaseSender(sink);
  let stop = false;
  const ceiling = setTimeout(() => stop = true, 20_000);
  const batch = sender.sendBatch(
    function* () {
      while (!stop) yield message(1);
    }(),
    { timeout: 50 },
  );
  await assertRejects(() => batch, TimeoutError);
  assertEquals(stop, false);
  clearTimeout(ceiling);
});

Deno.test("BaseSender: who sends from within the iterator of a batch, blocking, is refused", async () => {
  const sink = new Room();
  using sender = new BaseSender(sink);
  await sender.sendBatch(function* () {
    assertThrows(() => sender.sendSync(message(1), { timeout: 1000 }), IpcError, "drawn from");
    yield message(2);
  }());
  assertEquals(sink.taken, [2]);
});

Deno.test("BaseSender: nothing waits any more when a call has sent what waited", async () => {
  const sink = new Room(0);
  using sender = new BaseSender(sink);
  const before = pendingWaits();
  const waiting = sender.send(message(1));
  for (let round = 0; round < 60; round++) await pause();
  assertEquals(pendingWaits(), before + 1);
  sink.room = 2;
  assert(sender.trySend(message(2)));
  await waiting;
  assertEquals([sink.taken, pendingWaits()], [[1, 2], before]);
});

Deno.test("BaseSender: the stream of a sender that waits for room can be aborted", async () => {
  const sink = new Room(0);
  using sender = new BaseSender(sink);
  const stream = sender.writable.getWriter();
  stream.closed.catch(() => {});
  const writing = assertRejects(() => stream.write(message(1)));
  await pause();
  await stream.abort("Enough");
  await writing;
  assertEquals(sink.closed, 1);
});

Deno.test("BaseSender: end tells that the rest of a message was lost whose caller had gone", async () => {
  const sink = new Room(1);
  let begun = false;
  const cut: Sink = {
    maxMessageSize: 1024,
    put: () => (begun = true, false),
    get begun() {
      return begun;
    },
    finish: () => {
      begun = false;
      throw new IpcError("Nobody reads", { code: "EPIPE" });
    },
    detach: () => {},
    park: sink.park,
    end: () => {},
    close: () => {},
  };
  using sender = new BaseSender(cut);
  assert(sender.trySend(message(1)));
  await assertRejects(() => sender.end(), IpcError, "Nobody reads");
});

Deno.test("BaseSender: an error that cannot be written to is handed on as it is", async () => {
  using sender = new BaseSender(new Room());
  const error = new Error("Odd");
  Object.defineProperty(error, "sent", { get: () => 1 });
  await assertRejects(
    () =>
      sender.sendBatch(function* () {
        yield message(1);
        throw error;
      }()),
    Error,
    "Odd",
  );
  await sender.send(message(2));
});

Deno.test("BaseSender refuses a limit that is none, and closes what it was given", () => {
  for (const maxQueuedBytes of [-1, NaN, "x" as unknown as number]) {
    let closed = 0;
    const sink: Sink = {
      maxMessageSize: 1024,
      put: () => true,
      begun: false,
      finish: () => true,
      detach: () => {},
      park: () => () => {},
      end: () => {},
      close: () => void closed++,
    };
    assertThrows(() => new BaseSender(sink, { maxQueuedBytes }), RangeError, "Cannot queue up to");
    assertEquals(closed, 1);
    new BaseSender(sink, { maxQueuedBytes: 0 }).close();
  }
});

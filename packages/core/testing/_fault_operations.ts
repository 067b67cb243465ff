/** What is done to a channel while calls fail. */

import type { Receiver, Sender, SyncReceiver, SyncSender } from "../channel.ts";
import { NotSupportedError, TimeoutError, TruncatedError } from "../errors.ts";
import type { ChannelPair } from "./conformance.ts";
import { describe, expectBytes, ignored, pattern, syncReceiver, syncSender, turns } from "./_trial.ts";
import { within } from "./_torture_players.ts";

/** Milliseconds for what is left to arrive. */
const CEILING = 5000;

/** One run: what was sent and what came. */
export class FaultTrial {
  readonly #wanted: { message: Uint8Array; arrives: boolean }[] = [];
  readonly #got: Uint8Array[] = [];
  readonly #sizes: readonly number[];
  #pair: ChannelPair | undefined;
  #next = 0;

  /** An empty message is sent only where the mechanism can carry one. */
  constructor(emptyMessages: boolean) {
    this.#sizes = emptyMessages ? [10, 3000, 0, 1] : [10, 3000, 1];
  }

  get sender(): Sender {
    return this.#pair!.sender;
  }

  get receiver(): Receiver {
    return this.#pair!.receiver;
  }

  /** The sender, if it can block. */
  get syncSender(): SyncSender | undefined {
    return syncSender(this.sender);
  }

  /** The receiver, if it can block. */
  get syncReceiver(): SyncReceiver | undefined {
    return syncReceiver(this.receiver);
  }

  async run(
    open: () => ChannelPair | Promise<ChannelPair>,
    operate: (trial: FaultTrial) => unknown,
  ): Promise<void> {
    this.#pair = await open();
    await operate(this);
  }

  /** The next messages, each of another size, that a call is about to send. */
  next(count: number, size?: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const message = pattern(this.#wanted.length, size ?? this.#sizes[this.#next++ % this.#sizes.length]!);
      this.#wanted.push({ message, arrives: false });
      return message;
    });
  }

  /** These were sent. */
  sent(messages: readonly Uint8Array[]): void {
    for (const each of this.#wanted) if (messages.includes(each.message)) each.arrives = true;
  }

  /** This came. */
  got(message: Uint8Array | undefined): boolean {
    if (message !== undefined) this.#got.push(message);
    return message !== undefined;
  }

  /** Sends three messages to be received. */
  async sendSome(): Promise<void> {
    for (const message of this.next(3)) {
      await this.sender.send(message);
      this.sent([message]);
    }
  }

  /** Takes what is left, and compares; nothing fails any more. */
  async verify(failed: boolean): Promise<void> {
    if (this.#pair === undefined) return;
    const { sender, receiver } = this;
    try {
      // What still waits is flushed while we receive; where nothing can be ended, closing is what is left.
      ignored(sender.end().finally(() => sender.close()));
      if (!("closed" in receiver && receiver.closed)) {
        let truncated = 0;
        for (let more = true; more;) {
          try {
            more = this.got(
              await within(CEILING, receiver.receive(), "the messages that are left, or the end"),
            );
          } catch (error) {
            if (!(error instanceof TruncatedError) || !failed || truncated++ > 0) throw error;
          }
        }
        this.#compare();
      }
    } finally {
      sender.close();
      receiver.close();
      await this.#pair.cleanup?.();
    }
  }

  #compare(): void {
    let at = 0;
    for (const { message, arrives } of this.#wanted) {
      const came = this.#got[at];
      const same = came !== undefined && came.byteLength === message.byteLength &&
        came.every((byte, index) => byte === message[index]);
      if (same) at++;
      else if (arrives) expectBytes(came, message, `message ${at}`);
    }
    if (at < this.#got.length) {
      throw new Error(`Expected ${at} messages, there is another: ${describe(this.#got[at])}`);
    }
  }
}

/** Every operation of the contract, by its name. */
export const operations: Readonly<Record<string, (trial: FaultTrial) => unknown>> = {
  send: (trial) => trial.sendSome(),
  "send, many in one turn": async (trial) => {
    const messages = trial.next(4);
    const outcomes = await Promise.allSettled(messages.map((message) => trial.sender.send(message)));
    trial.sent(messages.filter((_, index) => outcomes[index]!.status === "fulfilled"));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  },
  sendBatch: async (trial) => {
    const messages = trial.next(4);
    try {
      await trial.sender.sendBatch(messages);
      trial.sent(messages);
    } catch (error) {
      trial.sent(messages.slice(0, (error as { sent?: number }).sent ?? 0));
      throw error;
    }
  },
  trySend: (trial) => {
    for (const message of trial.next(3)) if (trial.syncSender?.trySend(message)) trial.sent([message]);
  },
  sendSync: (trial) => {
    for (const message of trial.next(3)) {
      unlessUnsupported(() => {
        trial.syncSender?.sendSync(message);
        if (trial.syncSender !== undefined) trial.sent([message]);
      });
    }
  },
  "send while there is no room": crowded,
  "send with a timeout": async (trial) => {
    fill(trial);
    const [message] = trial.next(1, 1000) as [Uint8Array];
    try {
      await trial.sender.send(message, { timeout: 2 });
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      if (error.partial) trial.sent([message]);
      return;
    }
    trial.sent([message]);
  },
  receive: async (trial) => {
    await trial.sendSome();
    for (let count = 0; count < 3; count++) trial.got(await trial.receiver.receive());
  },
  "receive that waits": async (trial) => {
    const waiting = ignored(trial.receiver.receive().then((message) => trial.got(message)));
    await turns(60);
    await trial.sendSome();
    await waiting;
  },
  "receive that is aborted": async (trial) => {
    const controller = new AbortController();
    const waiting = trial.receiver.receive({ signal: controller.signal });
    ignored(waiting);
    await turns(60);
    const reason = new Error("Enough");
    controller.abort(reason);
    await waiting.catch((error) => {
      if (error !== reason) throw error;
    });
  },
  receiveBatch: async (trial) => {
    await trial.sendSome();
    for (const message of await trial.receiver.receiveBatch()) trial.got(message);
  },
  tryReceive: async (trial) => {
    await trial.sendSome();
    for (let count = 0; count < 3; count++) trial.got(trial.syncReceiver?.tryReceive());
  },
  receiveSync: async (trial) => {
    await trial.sendSome();
    for (let count = 0; count < 3; count++) {
      unlessUnsupported(() => trial.got(trial.syncReceiver?.receiveSync({ timeout: 1000 })));
    }
  },
  "for await": async (trial) => {
    await trial.sendSome();
    let left = 3;
    for await (const message of trial.receiver) {
      trial.got(message);
      if (--left === 0) break;
    }
  },
  end: async (trial) => {
    await trial.sendSome();
    await trial.sender.end();
  },
  "close while calls wait": async (trial) => {
    const waiting = ignored(trial.receiver.receive());
    await turns(60);
    trial.receiver.close();
    await waiting;
    trial.sender.close();
  },
};

async function crowded(trial: FaultTrial): Promise<void> {
  fill(trial);
  const [message] = trial.next(1, 2000) as [Uint8Array];
  let settled = false;
  const sending = ignored(trial.sender.send(message).then(() => trial.sent([message])));
  sending.then(() => settled = true, () => settled = true);
  await turns(60);
  while (!settled) {
    const received = trial.receiver.receive({ timeout: 20 }).then((each) => trial.got(each), (error) => {
      if (!(error instanceof TimeoutError)) throw error;
    });
    await received;
  }
  await sending;
}

/** Leaves no room, as far as that can be done without waiting. */
function fill(trial: FaultTrial): void {
  for (let count = 0; count < 200; count++) {
    const messages = trial.next(1, 4000);
    if (!trial.syncSender?.trySend(messages[0]!)) return;
    trial.sent(messages);
  }
}

function unlessUnsupported(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error;
  }
}

/**
 * A channel through UDP, which promises neither that a datagram arrives nor that it does so once and in order.
 *
 * So each is acknowledged, and sent again until it is; the next one follows then. The end is one of them.
 */

import { type Bytes, IpcError, type SyncChannel, TimeoutError } from "@ipc/core";
import { BaseSender, BaseSyncChannel, type Sink, type Source } from "@ipc/core/base";
import { abi, Descriptor, waitFor } from "@ipc/core/sys";
import { bindUdp, connectUdp, type InetAddress, type UdpSocket } from "@ipc/socket";
import type { FarEnd } from "../meeting.ts";
import { arrival } from "./arrival.ts";
import { Peer } from "./peer.ts";
import { gone } from "./slots.ts";

/** A datagram begins with what it is and, in four bytes, its number or that of the one that has arrived. */
const HEAD = 5;
const DATA = 0;
const END = 1;
const ARRIVED = 2;
/** What has not arrived after so many milliseconds is sent again. */
const AGAIN = 50;
/** So many messages are received before they are wanted. */
const AHEAD = 16;

const NOTHING: Bytes = new Uint8Array(0);
const encoder = new TextEncoder();

/** Starts the far end, and waits until it has said a word that only it knows. */
export async function near({ start, signal }: FarEnd): Promise<SyncChannel> {
  const socket = await bindUdp("127.0.0.1:0");
  try {
    const { host, port } = socket.address;
    const word = crypto.randomUUID();
    const ended = start(`${host}:${port}`, word, String(Deno.pid));
    const expected = encoder.encode(word);
    const to = await arrival(
      async (options) => {
        while (true) {
          const { data, from } = (await socket.receiveMessage(options))!;
          if (data.length === expected.length && data.every((byte, at) => byte === expected[at])) return from;
        }
      },
      ended,
      signal,
    );
    await socket.send(NOTHING, { to });
    return channelOf(new Dialogue(socket, to, (onGone) => Peer.child(ended, onGone)));
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Opens the far end. */
export async function far([address, word, pid]: readonly string[]): Promise<SyncChannel> {
  const socket = await connectUdp(address!);
  try {
    do await socket.send(encoder.encode(word!)); while (!await answered(socket));
    return channelOf(new Dialogue(socket, undefined, (onGone) => Peer.parent(Number(pid), onGone)));
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function answered(socket: UdpSocket): Promise<boolean> {
  try {
    await socket.receive({ timeout: AGAIN });
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}

function channelOf(dialogue: Dialogue): SyncChannel {
  return new BaseSyncChannel(new DialogueSource(dialogue), new BaseSender(new DialogueSink(dialogue)));
}

/** What both directions have in common: an acknowledgement comes where messages come. */
class Dialogue {
  /** What has arrived and nobody has taken. */
  readonly inbox: Bytes[] = [];
  /** Whether the end has arrived. */
  ended = false;
  readonly peer: Peer;
  readonly socket: UdpSocket;
  readonly #descriptor: Descriptor;
  readonly #to: InetAddress | undefined;
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #wakes = new Set<() => void>();
  #giveUp: (() => void) | undefined;
  #expected = 0;
  #number = 0;
  /** What has not arrived yet. */
  #unsettled: Bytes | undefined;
  #sentAt = 0;

  constructor(socket: UdpSocket, to: InetAddress | undefined, watch: (onGone: () => void) => Peer) {
    this.socket = socket;
    this.#to = to;
    this.#descriptor = new Descriptor(socket.fd, { shared: true });
    this.peer = watch(() => this.#wakeAll());
    this.#beat = setInterval(() => this.pull(), AGAIN);
    Deno.unrefTimer(this.#beat);
  }

  /** Whether the last one that was sent has arrived. */
  get settled(): boolean {
    if (this.#unsettled !== undefined) this.pull();
    return this.#unsettled === undefined;
  }

  /** Sends one if the last has arrived. */
  push(kind: number, message: Bytes | Uint8Array): boolean {
    if (!this.settled) return false;
    const datagram = new Uint8Array(HEAD + message.length);
    datagram[0] = kind;
    new DataView(datagram.buffer).setUint32(1, this.#number + 1);
    datagram.set(message, HEAD);
    this.#number = (this.#number + 1) >>> 0;
    this.#unsettled = datagram;
    this.#send();
    return true;
  }

  /** Receives what is there, and sends again what has to be. */
  pull(): void {
    let changed = false;
    while (this.inbox.length < AHEAD) {
      const datagram = this.#receive();
      if (datagram === undefined) break;
      changed = true;
      if (datagram.length >= HEAD) this.#read(datagram);
    }
    this.#sendLate();
    // Who waits would not find what has been taken here.
    if (changed && this.#wakes.size > 0) queueMicrotask(() => this.#wakeAll());
  }

  park(wake: () => void): () => void {
    this.#wakes.add(wake);
    this.#giveUp ??= waitFor(this.socket.fd, "readable", () => {
      this.#giveUp = undefined;
      this.#wakeAll();
    });
    return () => {
      this.#wakes.delete(wake);
      if (this.#wakes.size === 0) this.#rest();
    };
  }

  block(timeout: number | undefined): void {
    this.peer.block(timeout, (slice) => {
      if (this.#descriptor.poll(abi.POLLIN, Math.min(slice, AGAIN)) !== 0) return true;
      this.#sendLate();
      return false;
    });
  }

  close(): void {
    this.#rest();
    clearInterval(this.#beat);
    this.peer.close();
    this.socket.close();
  }

  #read(datagram: Bytes): void {
    const [kind] = datagram;
    const number = new DataView(datagram.buffer, datagram.byteOffset).getUint32(1);
    if (kind === ARRIVED) {
      if (number === this.#number) this.#unsettled = undefined;
      return;
    }
    const next = (this.#expected + 1) >>> 0;
    if (number === next) {
      this.#expected = next;
      if (kind === END) this.ended = true;
      else this.inbox.push(datagram.subarray(HEAD));
    } else if (number !== this.#expected) return;
    // Also where it has arrived before: then this has not.
    const answer = datagram.slice(0, HEAD);
    answer[0] = ARRIVED;
    this.#try(() => this.socket.trySend(answer, { to: this.#to }));
  }

  #receive(): Bytes | undefined {
    return this.#try(() => {
      const message = this.socket.tryReceiveMessage();
      const stranger = this.#to !== undefined && message !== undefined &&
        !(message.from.port === this.#to.port && message.from.host === this.#to.host);
      return stranger ? NOTHING : message?.data;
    });
  }

  #sendLate(): void {
    if (this.#unsettled !== undefined && performance.now() - this.#sentAt >= AGAIN) this.#send();
  }

  #send(): void {
    this.#sentAt = performance.now();
    this.#try(() => this.socket.trySend(this.#unsettled!, { to: this.#to }));
  }

  /** That nobody is there says the peer as well. */
  #try<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      if (error instanceof IpcError && error.code === "ECONNREFUSED") return undefined;
      throw error;
    }
  }

  #wakeAll(): void {
    this.#rest();
    const wakes = [...this.#wakes];
    this.#wakes.clear();
    for (const wake of wakes) wake();
  }

  #rest(): void {
    this.#giveUp?.();
    this.#giveUp = undefined;
  }
}

class DialogueSource implements Source<Bytes> {
  readonly #dialogue: Dialogue;

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
  }

  get ended(): boolean {
    const { inbox, ended, peer } = this.#dialogue;
    return inbox.length === 0 && (ended || peer.gone);
  }

  take(): Bytes | undefined {
    const { inbox } = this.#dialogue;
    if (inbox.length === 0) this.#dialogue.pull();
    return inbox.shift();
  }

  park(wake: () => void): () => void {
    return this.#dialogue.park(wake);
  }

  block(timeout: number | undefined): void {
    this.#dialogue.block(timeout);
  }

  close(): void {
    this.#dialogue.close();
  }
}

class DialogueSink implements Sink {
  readonly begun = false;
  readonly #dialogue: Dialogue;
  #ended = false;

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
  }

  get maxMessageSize(): number {
    return this.#dialogue.socket.maxMessageSize - HEAD;
  }

  put(message: Uint8Array): boolean {
    if (this.#dialogue.peer.gone) throw gone();
    return this.#dialogue.push(DATA, message);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park = (wake: () => void): () => void => this.#dialogue.park(wake);

  block(timeout: number | undefined): void {
    this.#dialogue.block(timeout);
  }

  async end(): Promise<void> {
    this.#ended = true;
    while (!this.#dialogue.push(END, NOTHING) && !this.#dialogue.peer.gone) await this.#change();
    while (!this.#dialogue.settled && !this.#dialogue.peer.gone) await this.#change();
  }

  close(): void {
    if (!this.#ended) this.#dialogue.push(END, NOTHING);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#dialogue.park(resolve));
  }
}

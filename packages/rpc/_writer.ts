import { MessageTooLongError } from "@ipc/core";
import { isLonger, utf8Length, WIDEST } from "./_encoder.ts";
import { frame } from "./_frame.ts";
import type { Session } from "./_session.ts";
import type { OutPort } from "./_values.ts";

/** The most parts of one message. */
const MAX_PARTS = 0xffff;

/** Makes messages of texts, with the bytes that go beside them and the things that are registered for them. */
export class Writer {
  readonly #session: Session;
  readonly #asText: boolean;
  /** Bytes that go beside the JSON which is being made. */
  #parts: Uint8Array[] = [];
  /** Takes back what is registered for the JSON which is being made. */
  #undo: (() => void)[] = [];
  /** Where values go that JSON cannot say. */
  readonly port: OutPort;
  /** The same for members of a batch, which have no bytes beside them. */
  readonly portOfBatch: OutPort;

  /** With `asText` the channel tells text from bytes. */
  constructor(session: Session, asText: boolean) {
    this.#session = session;
    this.#asText = asText;
    this.port = {
      bytes: (data) => this.#part(data),
      callback: (callable) => {
        const id = session.callbacks.lend(callable);
        this.#undo.push(() => session.callbacks.released(id, 1));
        return id;
      },
      stream: (source) => {
        const { id } = session.streams.open(source);
        this.#undo.push(() => session.streams.undo(id));
        return id;
      },
      undo: () => this.#takeBack(),
    };
    this.portOfBatch = { ...this.port, bytes: () => undefined };
  }

  /** Whether bytes wait to go beside the JSON that was made last. */
  get hasParts(): boolean {
    return this.#parts.length > 0;
  }

  /** How long the message of a text is, as streams count: UTF-16 units, and the bytes that wait to go beside it. */
  lengthOf(text: string): number {
    return this.#parts.reduce((sum, part) => sum + part.length, text.length);
  }

  /** What was made last is going to leave. */
  keep(): void {
    if (this.#undo.length > 0) this.#undo = [];
  }

  /** Sends a text because the other side asked, with what waits beside it; throws where the channel does not carry it. */
  post(text: string): void {
    this.#session.outbox.reply(this.#message(text));
  }

  /** The same of this side's own accord. */
  ask(text: string): void {
    this.#session.outbox.add(this.#message(text));
  }

  /** The functions and streams of what was made last, which its maker takes back now if it does not leave. */
  claim(): (() => void)[] | undefined {
    return this.#undo.length === 0 ? undefined : this.#undo.splice(0);
  }

  #message(text: string): Uint8Array | string {
    const { maxMessageSize } = this.#session;
    const fits = text.length * WIDEST <= maxMessageSize;
    const message = fits && this.#parts.length === 0 ? text : this.#encode(text);
    if (isLonger(message, maxMessageSize)) {
      this.#takeBack();
      const length = typeof message === "string" ? utf8Length(message) : message.length;
      throw new MessageTooLongError(
        `Cannot send the message: it has ${length} bytes, the limit is ${maxMessageSize}`,
      );
    }
    this.keep();
    return message;
  }

  #encode(text: string): Uint8Array | string {
    const parts = this.#parts;
    if (parts.length === 0) return this.#asText ? text : this.#session.outbox.encode(text);
    this.#parts = [];
    return frame(text, parts);
  }

  #part(data: Uint8Array): number | undefined {
    if (this.#session.theirs?.binary !== true || this.#parts.length === MAX_PARTS) return undefined;
    return this.#parts.push(data) - 1;
  }

  #takeBack(): void {
    this.#parts = [];
    for (const undo of this.#undo.splice(0)) undo();
  }
}

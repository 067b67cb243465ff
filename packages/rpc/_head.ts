import { isFramed, unframe } from "./_frame.ts";

/** What a message is that was refused unread, as far as its beginning and its end tell. */
export interface Head {
  /** Undefined: it does not tell. */
  readonly kind: "request" | "answer" | undefined;
  /** Undefined: it has none, or one that stands elsewhere or is long. */
  readonly id: number | string | undefined;
}

/** UTF-16 units at each end that are looked at. */
const BEGIN = 300;
const END = 200;

const ID = /"id"\s*:\s*(0|-?[1-9]\d{0,14}|"[^"\\\p{Cc}]*")/u.source;
const FIRST = new RegExp(
  String
    .raw`^\s*(\[\s*)?\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?(?:${ID}\s*,\s*)?"(method|params|result|error)"\s*:`,
  "u",
);
const LAST = new RegExp(String.raw`${ID}\s*\}\s*$`, "u");

const decoder = new TextDecoder();

/** Looks at both ends of a message. */
export function headOf(message: Uint8Array | string): Head {
  let [begin, end] = ["", ""];
  if (typeof message === "string") [begin, end] = [message.slice(0, BEGIN), message.slice(-END)];
  else {
    const json = isFramed(message) ? unframe(message)?.json ?? new Uint8Array() : message;
    begin = decoder.decode(json.subarray(0, BEGIN));
    end = decoder.decode(json.subarray(-END));
  }
  const [, batch, id = LAST.exec(end)?.[1], member] = FIRST.exec(begin) ?? [];
  if (member === undefined) return { kind: undefined, id: undefined };
  const kind = member === "method" || member === "params" ? "request" : "answer";
  // Of a batch nobody knows all ids.
  return { kind, id: batch === undefined && id !== undefined ? JSON.parse(id) : undefined };
}

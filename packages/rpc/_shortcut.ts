/** How the messages of this package begin; what others write may differ, and is read as any JSON. */
const HEAD = '{"jsonrpc":"2.0","id":';
const RESULT = ',"result":';
const METHOD = ',"method":"';
const PARAMS = '","params":';
const [ZERO, NINE, CLOSE] = [0x30, 0x39, 0x7d];
/** The most digits of an id that is exact. */
const DIGITS = 15;
/** UTF-16 units from which it saves nothing, and costs where it fails. */
const LONG = 4096;
/** The most names of methods that are kept. */
const MOST_NAMES = 1000;

/** Reads requests and answers as this package writes them: only their values have to be parsed. */
export class Shortcut {
  /** Names that JSON says as they are. */
  readonly #names = new Map<string, string>();

  /** The same that `JSON.parse` would give; `undefined`: it has to be asked. */
  read(text: string): unknown {
    const { length } = text;
    if (length > LONG || !text.startsWith(HEAD) || text.charCodeAt(length - 1) !== CLOSE) return undefined;
    let at = HEAD.length;
    let id = 0;
    for (let unit; (unit = text.charCodeAt(at)) >= ZERO && unit <= NINE; at++) id = id * 10 + unit - ZERO;
    const digits = at - HEAD.length;
    if (digits === 0 || digits > DIGITS || (digits > 1 && text.charCodeAt(HEAD.length) === ZERO)) {
      return undefined;
    }
    try {
      if (text.startsWith(RESULT, at)) {
        return { jsonrpc: "2.0", id, result: JSON.parse(text.slice(at + RESULT.length, -1)) };
      }
      if (!text.startsWith(METHOD, at)) return undefined;
      const end = text.indexOf('"', at + METHOD.length);
      const method = this.#names.get(text.slice(at + METHOD.length, end));
      if (method === undefined || !text.startsWith(PARAMS, end)) return undefined;
      return { jsonrpc: "2.0", id, method, params: JSON.parse(text.slice(end + PARAMS.length, -1)) };
    } catch {
      // More members follow, or it is no JSON.
      return undefined;
    }
  }

  /** Learns the names of methods from a message that was read. */
  learn(value: unknown): void {
    if (typeof value !== "object" || value === null || this.#names.size === MOST_NAMES) return;
    const { method } = value as { method?: unknown };
    if (typeof method === "string" && JSON.stringify(method) === `"${method}"`) {
      this.#names.set(method, method);
    }
  }
}

import { findMechanism, mechanisms } from "./_mechanisms.ts";
import { AddressError } from "./address_error.ts";

/** An address that was read: which mechanism, which object, and how it is used. */
export interface Address {
  /** The address as it was given. */
  readonly text: string;
  /** The mechanism: `"fifo"`, `"unix"`, `"stdio"`. */
  readonly scheme: string;
  /** The object: what stands between the colon and the question mark, percent-decoded; a URL, up to the `#`, as it is. */
  readonly target: string;
  /** What stands behind the question mark, percent-decoded; of a URL behind the `#`, which nobody else is sent. */
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Reads an address; nothing is opened, and no permission is needed.
 *
 * The object and the parameters are percent-decoded as UTF-8: a question mark in a path is `%3F`, a percent
 * sign `%25`. A `+` is a plus sign.
 *
 * @throws {AddressError} if it is not an address, or not one that its mechanism can have.
 *
 * @example
 * ```ts
 * import { parseAddress } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const address = parseAddress("fifo:/run/my%20jobs?framing=lines");
 * assertEquals(address.scheme, "fifo");
 * assertEquals(address.target, "/run/my jobs");
 * assertEquals(address.params.framing, "lines");
 * ```
 */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(colon, 0));
  if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) throw new AddressError(text, withoutScheme(text));
  const mechanism = findMechanism(scheme);
  if (mechanism === undefined) {
    throw new AddressError(text, `there is no mechanism "${scheme}"; there are ${schemes()}`);
  }

  const question = text.indexOf(mechanism.isUrl ? "#" : "?", colon);
  const rest = text.slice(colon + 1, question < 0 ? undefined : question);
  const target = mechanism.isUrl ? rest : decode(text, rest);
  // No prototype, so that a parameter called "constructor" is one like any other.
  const params: Record<string, string> = Object.create(null);
  const pairs = question < 0 ? [] : text.slice(question + 1).split("&").filter((pair) => pair !== "");
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const name = decode(text, equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : decode(text, pair.slice(equals + 1));
    if (name in params) throw new AddressError(text, `"${name}" is given twice`);
    if (!Object.hasOwn(mechanism.params, name)) {
      const others = Object.keys(mechanism.params).join(", ");
      throw new AddressError(
        text,
        `"${scheme}:" has no parameter${others === "" ? "s" : ` "${name}"; it has ${others}`}`,
      );
    }
    const { accepts, expected } = mechanism.params[name]!;
    if (!accepts(value)) {
      throw new AddressError(text, `"${name}" is "${value}", and must be ${expected}`);
    }
    params[name] = value;
  }
  const problem = mechanism.check(target, params);
  if (problem !== undefined) throw new AddressError(text, problem);
  return Object.freeze({ text, scheme, target, params: Object.freeze(params) });
}

/**
 * Writes an address, with everything encoded that would be read as something else.
 *
 * @throws {AddressError} if there can be no such address.
 *
 * @example
 * ```ts
 * import { formatAddress, parseAddress } from "@ipc/address";
 * import { assertEquals } from "@std/assert";
 *
 * const text = formatAddress("fifo", "/run/100% sure?", { framing: "lines" });
 * assertEquals(text, "fifo:/run/100%25 sure%3F?framing=lines");
 * assertEquals(parseAddress(text).target, "/run/100% sure?");
 * ```
 */
export function formatAddress(
  scheme: string,
  target: string,
  params: Readonly<Record<string, string>> = {},
): string {
  const isUrl = findMechanism(scheme)?.isUrl === true;
  const encode = (text: string) => isUrl ? text : text.replaceAll(/[%?]/g, encodeURIComponent);
  const query = Object.entries(params).map(([name, value]) =>
    `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
  );
  const mark = isUrl ? "#" : "?";
  const text = `${scheme}:${encode(target)}${query.length > 0 ? mark : ""}${query.join("&")}`;
  return parseAddress(text).text;
}

function decode(text: string, part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    throw new AddressError(text, `"${part}" is not percent-encoded UTF-8; a percent sign is written %25`);
  }
  if (decoded.includes("\0")) throw new AddressError(text, "no name has a zero byte in it");
  return decoded;
}

function withoutScheme(text: string): string {
  if (text === "") return `it is empty; an address is like ${mechanisms[0]!.form}`;
  if (/^[./~]/.test(text)) return `it says no mechanism; for a FIFO write "fifo:${text}"`;
  return `it says no mechanism; an address begins with ${schemes()}`;
}

function schemes(): string {
  return mechanisms.map((mechanism) => `${mechanism.scheme}:`).join(", ");
}

/** Options of the command line: what each takes, and how all are read. */

import { parseArgs } from "@std/cli/parse-args";
import { closest } from "./_closest.ts";
import { UsageError } from "./_failure.ts";

/** One option. */
export interface Option<T> {
  /** What stands for its value in the help; a flag has none. */
  readonly value?: string;
  /** What it does, in the help. */
  readonly text: string;
  /** Makes a value of what was given; `undefined`: it was not given. Throws a `UsageError` that names no option. */
  read(given: string | boolean | undefined): T;
}

/** The options of a verb by name, without the dashes. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What was given for them. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** An option that is there or not. */
export function flag(text: string): Option<boolean> {
  return { text, read: (given) => given === true };
}

/** A time, in milliseconds. */
export function duration(value: string, text: string): Option<number | undefined> {
  return withValue(value, text, parseDuration);
}

/** A whole number, from `least` on. */
export function integer(value: string, text: string, least: number): Option<number | undefined> {
  return withValue(value, text, (given) => {
    const number = /^-?\d{1,15}$/.test(given) ? Number(given) : NaN;
    if (number >= least) return number;
    throw new UsageError(`"${given}" is not a whole number from ${least}`);
  });
}

/** Permissions, in octal as chmod takes them. */
export function mode(value: string, text: string): Option<number | undefined> {
  return withValue(value, text, (given) => {
    if (/^(0o?)?[0-7]{1,3}$/.test(given)) return parseInt(given.replace("o", ""), 8);
    throw new UsageError(`"${given}" is not a mode; one is like 600 or 0660`);
  });
}

/** A number of bytes, or of what an object has: `4096`, `64K`, `1M`. */
export function size(value: string, text: string): Option<number | undefined> {
  return withValue(value, text, (given) => {
    const found = /^(\d{1,15})(?:([KMGT])(?:iB)?)?$/.exec(given);
    const number = found === null ? NaN : Number(found[1]) * 1024 ** ("KMGT".indexOf(found[2]!) + 1);
    if (Number.isSafeInteger(number)) return number;
    throw new UsageError(`"${given}" is not a size; one is like 4096, 64K or 1M`);
  });
}

/** One of a few words. */
export function oneOf<const W extends string>(
  value: string,
  text: string,
  words: readonly W[],
): Option<W | undefined> {
  return withValue(value, text, (given) => {
    const word = words.find((word) => word === given);
    if (word !== undefined) return word;
    throw new UsageError(`"${given}" is none of ${words.join(", ")}`);
  });
}

/** One whole number from 0, or several with commas between them. */
export function integers(value: string, text: string): Option<number | number[] | undefined> {
  return withValue(value, text, (given) => {
    if (!/^\d{1,15}(,\d{1,15})*$/.test(given)) {
      throw new UsageError(`"${given}" is not a number from 0, nor several like 1,0,5`);
    }
    const numbers = given.split(",").map(Number);
    return numbers.length === 1 ? numbers[0]! : numbers;
  });
}

/** The operand N, a whole number from 1; 1 where it is left out. */
export function countOperand(given: string | undefined): number {
  if (given === undefined) return 1;
  if (/^[1-9]\d{0,14}$/.test(given)) return Number(given);
  throw new UsageError(`N is "${given}", and must be a whole number from 1`);
}

function withValue<T>(value: string, text: string, parse: (given: string) => T): Option<T | undefined> {
  return { value, text, read: (given) => given === undefined ? undefined : parse(String(given)) };
}

/** A time: `200ms`, `2s`, `1.5m`, or a number of milliseconds. */
export function parseDuration(text: string): number {
  const found = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|)$/.exec(text);
  if (found === null) throw new UsageError(`"${text}" is not a time; one is like 200ms, 2s, or 1500`);
  return Number(found[1]) *
    { ms: 1, "": 1, s: 1000, m: 60_000, h: 3_600_000 }[found[2] as "ms" | "" | "s" | "m" | "h"];
}

/** What a command line was read to be. */
export interface Parsed<O extends Options> {
  /** Whether help was asked for. */
  readonly help: boolean;
  /** What is not an option. */
  readonly operands: string[];
  /** The options. */
  readonly values: Values<O>;
}

/** Reads the arguments of a verb. What stands behind `--` is an operand, whatever it looks like. */
export function parse<O extends Options>(args: readonly string[], options: O): Parsed<O> {
  const names = Object.keys(options);
  const takesValue = (name: string) => options[name]!.value !== undefined;
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    boolean: ["help", ...names.filter((name) => !takesValue(name))],
    string: ["_", ...names.filter(takesValue)],
    alias: { help: "h" },
    unknown: (arg, name) => {
      if (name === undefined) return true;
      throw new UsageError(unknownOption(arg, names));
    },
  });
  const help = parsed.help === true;
  const values = Object.fromEntries(names.map((name) => {
    const given = parsed[name] as string | boolean | undefined;
    if (help) return [name, undefined];
    if (given === "" && takesValue(name)) {
      throw new UsageError(`--${name} needs a value: --${name} ${options[name]!.value}`);
    }
    try {
      return [name, options[name]!.read(given)];
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`--${name}: ${error.message}`);
      throw error;
    }
  }));
  return { help, operands: parsed._.map(String), values: values as Values<O> };
}

function unknownOption(arg: string, names: readonly string[]): string {
  const name = arg.split("=")[0]!;
  const near = closest(name.replace(/^-+/, ""), ["help", ...names]);
  const help = near === undefined ? `"--" goes before what is no option` : `did you mean "--${near}"?`;
  return `there is no option "${name}"; ${help}`;
}

/**
 * Stands in for `@std/cli/parse-args` on machines that cannot reach JSR: `parseArgs` with the options that our
 * command uses. Left out: names with dots and `boolean: true`, which the types refuse.
 *
 * @module
 */

type Names<T extends string> = T | readonly T[];
type Aliases = Record<string, string | readonly string[]>;
type Defaults = Record<string, unknown>;

/** What `parseArgs` is told about the flags; as in `@std/cli`. */
export interface ParseOptions<
  B extends string = string,
  S extends string = string,
  C extends string = string,
  N extends string = string,
  D extends Defaults = Defaults,
  A extends Aliases = Aliases,
  Dashes extends boolean = boolean,
> {
  /** Flags without a value; false when absent. */
  boolean?: Names<B>;
  /** Flags with a value that is never made a number; `_` stands for the positional arguments. */
  string?: Names<S>;
  /** Flags that may come more than once, and give an array. */
  collect?: Names<C>;
  /** Flags that `--no-name` sets to false. */
  negatable?: Names<N>;
  /** Values of flags that are absent. */
  default?: D;
  /** Other names of a flag; the result has the value under each. */
  alias?: A;
  /** Whether everything behind the first positional argument is positional. */
  stopEarly?: boolean;
  /** Whether what follows `--` goes to `result["--"]` and not to `_`. */
  "--"?: Dashes;
  /** Called with each argument that is not declared, positional ones too (these without `key`); false leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

type Value<K, B, S, C, N> =
  | (K extends S ? (K extends C ? string[] : string)
    : K extends B ? (K extends C ? boolean[] : boolean)
    : K extends C ? unknown[]
    : unknown)
  | (K extends N ? false : never);

type Flags<B extends string, S extends string, C extends string, N, D> =
  & { [K in Exclude<B | C, keyof D>]: Value<K, B, S, C, N> }
  & { [K in keyof D]: K extends B | S | C ? D[K] | Value<K, B, S, C, N> : unknown }
  & { [K in Exclude<S, B | C | keyof D | "_">]?: Value<K, B, S, C, N> };

type OtherNames<K, A> = K extends keyof A
  ? A[K] extends readonly (infer Name extends string)[] ? Name : A[K] extends string ? A[K] : never
  : never;

/** What `parseArgs` found: the flags by name, and the positional arguments in `_`. */
export type Args<B extends string, S extends string, C extends string, N, D, A, Dashes> =
  & { _: (string | number)[] }
  & (Dashes extends true ? { "--": string[] } : unknown)
  // deno-lint-ignore no-explicit-any -- what the real one gives when no flag is declared
  & ([B | S | C] extends [never] ? Record<string, any>
    :
      & { [K in keyof Flags<B, S, C, N, D> as K | OtherNames<K, A>]: Flags<B, S, C, N, D>[K] }
      & Record<string, unknown>);

/** Sorts command line arguments into flags and positional arguments, as `parseArgs` of `@std/cli` does. */
export function parseArgs<
  B extends string = never,
  S extends string = never,
  C extends string = never,
  N extends string = never,
  // deno-lint-ignore ban-types -- no defaults, no keys
  D extends Defaults = {},
  // deno-lint-ignore ban-types
  const A extends Aliases = {},
  Dashes extends boolean = false,
>(args: string[], options: ParseOptions<B, S, C, N, D, A, Dashes> = {}): Args<B, S, C, N, D, A, Dashes> {
  return new Parser(options as ParseOptions).parse(args) as Args<B, S, C, N, D, A, Dashes>;
}

class Parser {
  readonly #options: ParseOptions;
  readonly #aliases = new Map<string, string[]>();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;
  readonly #positional: unknown[] = [];
  readonly #result: Record<string, unknown> = { _: this.#positional };

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const all = [name, ...[others].flat()];
      for (const one of all) this.#aliases.set(one, all.filter((other) => other !== one));
    }
    const withAliases = (names: Names<string> = []) =>
      new Set([names].flat().flatMap((name) => [name, ...this.#aliases.get(name) ?? []]));
    this.#booleans = withAliases(options.boolean);
    this.#strings = withAliases(options.string);
    this.#collected = withAliases(options.collect);
    this.#negatable = withAliases(options.negatable);
  }

  parse(args: readonly string[]): Record<string, unknown> {
    const dashes = args.indexOf("--");
    const own = dashes < 0 ? args : args.slice(0, dashes);
    const rest = dashes < 0 ? [] : args.slice(dashes + 1);
    for (let i = 0; i < own.length; i++) {
      const arg = own[i]!;
      if (arg.startsWith("-") && arg !== "-") {
        const taken = arg.startsWith("--") ? this.#long(arg, own[i + 1]) : this.#short(arg, own[i + 1]);
        if (taken) i++;
        continue;
      }
      if (this.#options.unknown?.(arg) !== false) this.#positional.push(this.#number(arg, "_"));
      if (this.#options.stopEarly) {
        this.#positional.push(...own.slice(i + 1));
        break;
      }
    }
    this.#fillIn();
    if (this.#options["--"]) this.#result["--"] = rest;
    else this.#positional.push(...rest);
    return this.#result;
  }

  /** Returns whether the next argument was the value. */
  #long(arg: string, next: string | undefined): boolean {
    const equals = arg.indexOf("=", 3);
    const name = arg.slice(2, equals < 0 ? undefined : equals);
    if (equals >= 0) {
      const value = arg.slice(equals + 1);
      this.#set(name, this.#booleans.has(name) ? value !== "false" : value, arg);
      return false;
    }
    const positive = name.slice(3);
    if (name.startsWith("no-") && this.#negatable.has(positive)) {
      this.#set(positive, false, arg, true);
      return false;
    }
    return this.#spaced(name, arg, next, next?.startsWith("-") === false);
  }

  /** One or more flags of one letter each; the last may have a value. Returns whether the next argument was it. */
  #short(arg: string, next: string | undefined): boolean {
    const letters = arg.slice(1);
    for (let i = 0; i < letters.length - 1; i++) {
      const name = letters[i]!;
      const rest = letters.slice(i + 1);
      const value = attached(name, rest);
      if (value !== undefined) {
        this.#set(name, value, arg);
        return false;
      }
      this.#set(name, rest === "-" ? "-" : this.#strings.has(name) ? "" : true, arg);
    }
    const last = letters.at(-1)!;
    return last !== "-" && this.#spaced(last, arg, next, next !== undefined && !/^--?[^-]/.test(next));
  }

  #spaced(name: string, arg: string, next: string | undefined, isValue: boolean): boolean {
    const truth = next === "true" || next === "false";
    const taken = !!next && (truth || (isValue && !this.#booleans.has(name)));
    const bare = this.#strings.has(name) ? "" : true;
    this.#set(
      name,
      !taken ? bare : truth && !(isValue && !this.#booleans.has(name)) ? next === "true" : next,
      arg,
    );
    return taken;
  }

  #set(name: string, value: unknown, arg: string, negated = false): void {
    const declared = this.#booleans.has(name) || this.#strings.has(name) || this.#collected.has(name) ||
      this.#aliases.has(name);
    if (!declared && this.#options.unknown?.(arg, name, value) === false) return;
    if (name === "__proto__" || name === "constructor") return;
    const final = typeof value === "string" ? this.#number(value, name) : value;
    for (const one of [name, ...this.#aliases.get(name) ?? []]) {
      const before = this.#result[one];
      this.#result[one] = negated || !this.#collected.has(name)
        ? final
        : Array.isArray(before)
        ? [...before, final]
        : before
        ? [before, final]
        : [final];
    }
  }

  #fillIn(): void {
    const absent = (name: string) => !Object.hasOwn(this.#result, name);
    for (const [name, value] of Object.entries(this.#options.default ?? {})) {
      if (absent(name)) {
        for (const one of [name, ...this.#aliases.get(name) ?? []]) this.#result[one] = value;
      }
    }
    for (const name of this.#booleans) {
      if (absent(name)) {
        this.#result[name] = this.#collected.has(name) ? [] : false;
      }
    }
    for (const name of this.#strings) if (absent(name) && this.#collected.has(name)) this.#result[name] = [];
  }

  #number(text: string, name: string): string | number {
    return this.#strings.has(name) || text.trim() === "" || !Number.isFinite(Number(text))
      ? text
      : Number(text);
  }
}

/** Returns the value that begins behind a letter, as in `-n5` and `-n=5`; `undefined` where more flags follow. */
function attached(letter: string, rest: string): string | undefined {
  if (rest === "=") return "";
  if (/[a-z]/i.test(letter)) {
    const equals = rest.indexOf("=");
    if (equals >= 0 && equals < rest.length - 1) return rest.slice(equals + 1);
    if (/\d(\.\d*)?(e-?\d+)?$/.test(rest)) return rest;
  }
  return rest.length > 1 && /^\W/.test(rest) ? rest : undefined;
}

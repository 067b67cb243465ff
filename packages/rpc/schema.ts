/** The interface by which schemas of any library are asked. */

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What checking a value gave: the value, perhaps made into another, or what is wrong. */
export type SchemaResult<Output = unknown> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/**
 * A schema by Standard Schema 1, which zod, valibot, arktype and others implement.
 *
 * @example
 * ```ts
 * import type { Schema } from "@ipc/rpc";
 * import { assertEquals } from "@std/assert";
 *
 * const text: Schema<string> = {
 *   "~standard": {
 *     version: 1,
 *     vendor: "by hand",
 *     validate: (value) => typeof value === "string" ? { value } : { issues: [{ message: "no text" }] },
 *   },
 * };
 * assertEquals(text["~standard"].validate("yes"), { value: "yes" });
 * ```
 */
export interface Schema<Output = unknown> {
  /** What the standard says. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** Says it as a JSON Schema, where the library can. */
    readonly jsonSchema?: {
      /** What is accepted. */
      readonly input: (options: { target: "draft-07" }) => Record<string, unknown>;
      /** What comes out. */
      readonly output: (options: { target: "draft-07" }) => Record<string, unknown>;
    } | undefined;
  };
}

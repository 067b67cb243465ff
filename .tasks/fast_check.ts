/**
 * What `fast-check` means in the tests.
 *
 * It is not in the imports of `deno.json` itself, for there `deno task` would fetch it before every first task,
 * and `deno task demo` works without a network.
 *
 * @module
 */

export * from "npm:fast-check@4.10.2";
export { default } from "npm:fast-check@4.10.2";

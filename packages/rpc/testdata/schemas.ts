/** Two libraries of schemas, from npm: only the tests use them. */

export { z } from "npm:zod@4.6.7";
export * as v from "npm:valibot@1.5.0";

import type { PreparedMethod } from "./_methods.ts";
import type { ServiceInfo } from "./options.ts";
import type { Schema } from "./schema.ts";

/** The OpenRPC document of what is served. */
export function discover(info: ServiceInfo, methods: ReadonlyMap<string, PreparedMethod>): unknown {
  return {
    openrpc: "1.3.2",
    info,
    methods: [...methods].filter(([name]) => !name.startsWith("$/")).map(([name, { options }]) => ({
      name,
      ...options.summary !== undefined && { summary: options.summary },
      params: Object.entries(options.params ?? {}).map(([name, schema]) => ({
        name,
        required: isRequired(schema),
        schema: jsonSchema(schema, "input"),
      })),
      result: {
        name: "result",
        schema: options.result === undefined ? {} : jsonSchema(options.result, "output"),
      },
    })),
  };
}

/** Whether a schema refuses that there is nothing. */
function isRequired(schema: Schema): boolean {
  const result = schema["~standard"].validate(undefined);
  return !(result instanceof Promise) && result.issues !== undefined;
}

/** The schema as JSON; one that allows everything where its library cannot say it. */
function jsonSchema(schema: Schema, side: "input" | "output"): Record<string, unknown> {
  try {
    return schema["~standard"].jsonSchema?.[side]({ target: "draft-07" }) ?? {};
  } catch {
    return {};
  }
}

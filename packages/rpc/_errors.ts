import { IpcError } from "@ipc/core";
import { encodeValue } from "./_values.ts";
import { RPC_CODE, RpcError } from "./rpc_error.ts";

interface Crossing {
  readonly code: number;
  readonly message: string;
  readonly data: unknown;
}

/** The error object of an answer, as JSON. An error that is not meant for the other side tells nothing unless asked. */
export function errorJson(error: unknown, expose: boolean): string {
  const { code, message, data } = tryCrossing(error, expose);
  const head = `{"code":${Number.isSafeInteger(code) ? code : RPC_CODE.INTERNAL_ERROR},"message":${
    JSON.stringify(message)
  }`;
  if (data === undefined) return `${head}}`;
  try {
    return `${head},"data":${encodeValue(data, undefined)}}`;
  } catch {
    return `${head}}`;
  }
}

/** What is thrown may be anything, and fail when it is looked at. */
function tryCrossing(error: unknown, expose: boolean): Crossing {
  try {
    const { code, message, data } = crossing(error, expose);
    return { code, message: String(message), data };
  } catch {
    return crossing(undefined, false);
  }
}

function crossing(error: unknown, expose: boolean): Crossing {
  if (error instanceof RpcError) return error;
  if (error instanceof IpcError) {
    const { name, code, message } = error;
    return { code: RPC_CODE.FAILED, message: expose ? message : `Failed: ${code}`, data: { name, code } };
  }
  if (!expose) return { code: RPC_CODE.INTERNAL_ERROR, message: "Internal error", data: undefined };
  const { name, message, stack } = error instanceof Error
    ? error
    : { name: typeof error, message: String(error), stack: undefined };
  return { code: RPC_CODE.INTERNAL_ERROR, message, data: { name, stack } };
}

/** The error of an answer as the caller gets it. */
export function toError(error: unknown): RpcError {
  const { code, message, data } = (typeof error === "object" && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  if (typeof code !== "number" || typeof message !== "string") {
    return new RpcError(RPC_CODE.INTERNAL_ERROR, "The peer answered with an error that is none", {
      data: error,
    });
  }
  return new RpcError(code, message, { data });
}

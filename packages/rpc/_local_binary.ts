import type { UnixStreamOptions } from "@ipc/socket";

/** Whether messages may be any bytes: not where a newline or a NUL marks the end of one. */
export function carriesBytes({ framing }: Pick<UnixStreamOptions, "framing">): boolean {
  return framing === undefined || framing === "length" || framing === "content-length";
}

import { assert, assertEquals, assertInstanceOf, assertMatch, assertStrictEquals } from "@std/assert";
import * as core from "@ipc/core";
import { DecodeError, ERRNO, errnoError, IpcError, type IpcErrorOptions, TimeoutError } from "@ipc/core";

const CODES: Record<string, string> = {
  NotFoundError: "ENOENT",
  AlreadyExistsError: "EEXIST",
  PermissionError: "EACCES",
  TimeoutError: "ETIMEDOUT",
  RemovedError: "EIDRM",
  OwnerDiedError: "EOWNERDEAD",
  NotRecoverableError: "ENOTRECOVERABLE",
  MessageTooLongError: "EMSGSIZE",
  TruncatedError: "ETRUNCATED",
  LimitError: "ENOBUFS",
  BrokenPipeError: "EPIPE",
  ClosedError: "ECLOSED",
  NotSupportedError: "EOPNOTSUPP",
  UntrustedError: "EUNTRUSTED",
  LayoutMismatchError: "ELAYOUT",
};

type ErrorClass = new (message: string, options?: IpcErrorOptions) => IpcError;

const classes = core as unknown as Record<string, ErrorClass>;

Deno.test("every class has its name, a code of its own, and takes another", () => {
  const exported = Object.keys(core).filter((name) => name.endsWith("Error") && /^[A-Z]/.test(name));
  assertEquals(exported.sort(), [...Object.keys(CODES), "IpcError", "DecodeError"].sort());
  for (const [name, code] of Object.entries(CODES)) {
    const cause = new Error("below");
    const error = new classes[name]!("Cannot do it", { cause, target: "/x", hint: "try again" });
    assertInstanceOf(error, IpcError);
    assertEquals([error.name, error.code, error.message], [name, code, "Cannot do it"]);
    assertEquals([error.target, error.hint, error.errno, error.syscall], [
      "/x",
      "try again",
      undefined,
      undefined,
    ]);
    assertStrictEquals(error.cause, cause);
    assertEquals(new classes[name]!("Cannot", { code: "EOTHER" }).code, "EOTHER");
    assertEquals(new classes[name]!("Cannot", { code: undefined }).code, code);
  }
});

Deno.test("DecodeError carries what could not be decoded", () => {
  const data = new Uint8Array([1]);
  const error = new DecodeError("Cannot decode", data);
  assertStrictEquals(error.data, data);
  assertEquals([error.name, error.code], ["DecodeError", "EDECODE"]);
});

Deno.test("errnoError tells what was tried, on what and why", () => {
  const error = errnoError(ERRNO.ENOENT, {
    syscall: "open",
    action: 'open FIFO "/run/in"',
    target: "/run/in",
  });
  assertInstanceOf(error, classes.NotFoundError!);
  assertEquals(error.message, 'Cannot open FIFO "/run/in": no such file or object');
  assertEquals(
    [error.code, error.errno, error.syscall, error.target, error.hint],
    ["ENOENT", 2, "open", "/run/in", undefined],
  );
});

Deno.test("errnoError finds the class by meaning for every errno", () => {
  const meaning: Record<string, string> = {
    ENXIO: "NotFoundError",
    ESRCH: "NotFoundError",
    EEXIST: "AlreadyExistsError",
    EPERM: "PermissionError",
    ETIMEDOUT: "TimeoutError",
    EIDRM: "RemovedError",
    E2BIG: "MessageTooLongError",
    ENOSPC: "LimitError",
    EMFILE: "LimitError",
    ENFILE: "LimitError",
    ENOMEM: "LimitError",
    EPIPE: "BrokenPipeError",
    ENOSYS: "NotSupportedError",
    ENOTSUP: "NotSupportedError",
    EBADF: "IpcError",
    EINVAL: "IpcError",
  };
  for (const [code, name] of Object.entries(meaning)) {
    assertEquals(
      errnoError((ERRNO as Record<string, number>)[code]!, { syscall: "x", action: "x" }).name,
      name,
      code,
    );
  }
});

Deno.test("a hint is there where one helps, and the caller's comes first", () => {
  assertMatch(errnoError(ERRNO.EMFILE, { syscall: "pipe2", action: "create pipe" }).hint ?? "", /ulimit -n/);
  assertEquals(errnoError(ERRNO.EMFILE, { syscall: "x", action: "x", hint: "mine" }).hint, "mine");
});

Deno.test("an error can be told apart from the reason of an abort", () => {
  const error: unknown = new TimeoutError("Cannot receive: nothing happened within 5 ms");
  assert(!(error instanceof DOMException));
});

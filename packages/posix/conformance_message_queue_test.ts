/** What the kernel does with message queues, at `@ipc/posix/sys`. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClosedError } from "@ipc/core";
import { abi, bind, dupCloexec } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { MessageQueue } from "./mod.ts";
import {
  constants,
  mq_close,
  mq_getattr,
  mq_notify,
  mq_open,
  mq_receive,
  mq_send,
  mq_setattr,
  mq_timedreceive,
  mq_timedsend,
  mq_unlink,
} from "./sys.ts";
import { Cases, code } from "../core/testdata/cases.ts";
import { TestProcess } from "./testdata/process.ts";
import { ownName, SYS, withName, withQueue } from "./testdata/queues.ts";

leakCheck();

const { O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, MQ_PRIO_MAX, SIGEV_SIGNAL } = constants;
const SIZE = { mq_maxmsg: 4, mq_msgsize: 64 };
const SIGUSR2 = 12;
const cases = new Cases("posix-mq", new URL("testdata/conformance.json", import.meta.url));

const bytes = (text: string) => new TextEncoder().encode(text);
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs a test with a new queue, opened so. */
async function withDescriptor(
  test: (mqdes: number, name: string) => unknown,
  { oflag = O_RDWR, attr = SIZE }: { oflag?: number; attr?: typeof SIZE } = {},
): Promise<void> {
  await withName(async (name) => {
    mq_close(mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, attr));
    const mqdes = mq_open(name, oflag);
    try {
      await test(mqdes, name);
    } finally {
      mq_close(mqdes);
    }
  });
}

/** A moment that is so many milliseconds away. */
function inMilliseconds(milliseconds: number): { sec: number; nsec: number } {
  const moment = Date.now() + milliseconds;
  return { sec: Math.floor(moment / 1000), nsec: moment % 1000 * 1e6 };
}

/** Whether this process may pass the limits of queues: CAP_SYS_RESOURCE. */
function privileged(): boolean {
  const [, effective = "0"] = /^CapEff:\t(\w+)$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
  return (BigInt(`0x${effective}`) >> 24n & 1n) === 1n;
}

cases.test("PMQ-001", () => {
  assertEquals(code(() => mq_open(ownName(), O_RDWR)), "ENOENT");
});

cases.test("PMQ-002", () =>
  withDescriptor((_, name) => {
    assertEquals(code(() => mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, SIZE)), "EEXIST");
  }));

cases.test("PMQ-003", () =>
  withDescriptor((_, name) => {
    const again = mq_open(name, O_CREAT | O_RDWR, 0o600, { mq_maxmsg: 2, mq_msgsize: 64 });
    try {
      assertEquals(mq_getattr(again).mq_maxmsg, 4);
    } finally {
      mq_close(again);
    }
  }));

cases.test("PMQ-004", () =>
  withName((name) => {
    for (const attr of [{ ...SIZE, mq_maxmsg: 0 }, { ...SIZE, mq_maxmsg: -1 }, { ...SIZE, mq_msgsize: 0 }]) {
      assertEquals(code(() => mq_open(name, O_CREAT | O_RDWR, 0o600, attr)), "EINVAL");
    }
  }));

cases.test("PMQ-005", () =>
  withName((name) => {
    const setting = (each: string) => Number(Deno.readTextFileSync(`/proc/sys/fs/mqueue/${each}`));
    for (
      const attr of [
        { mq_maxmsg: setting("msg_max") + 1, mq_msgsize: 8 },
        { mq_maxmsg: 1, mq_msgsize: setting("msgsize_max") + 1 },
      ]
    ) {
      const open = () => mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, attr);
      if (!privileged()) assertEquals(code(open), "EINVAL");
      else {
        mq_close(open());
        mq_unlink(name);
      }
    }
  }));

cases.test("PMQ-006", () => {
  assertEquals(code(() => mq_open("no-slash", O_CREAT | O_RDWR, 0o600, SIZE)), "EINVAL");
});

cases.test("PMQ-007", () => {
  assertEquals(code(() => mq_open("/a/b", O_CREAT | O_RDWR, 0o600, SIZE)), "EACCES");
  assertThrows(() => MessageQueue.create("/a/b"), TypeError);
});

cases.test("PMQ-008", () => {
  assertEquals(code(() => mq_open("/", O_CREAT | O_RDWR, 0o600, SIZE)), "ENOENT");
});

cases.test("PMQ-009", () => {
  const longest = `/${crypto.randomUUID()}`.padEnd(256, "x");
  mq_close(mq_open(longest, O_CREAT | O_EXCL | O_RDWR, 0o600, SIZE));
  mq_unlink(longest);
  assertEquals(code(() => mq_open(`${longest}x`, O_CREAT | O_RDWR, 0o600, SIZE)), "ENAMETOOLONG");
});

cases.test("PMQ-011", () =>
  withDescriptor((mqdes) => {
    assertEquals(code(() => mq_send(mqdes, bytes("x"))), "EBADF");
  }, { oflag: O_RDONLY }));

cases.test("PMQ-012", () =>
  withDescriptor((mqdes) => {
    mq_send(mqdes, bytes("x"));
    assertEquals(code(() => mq_receive(mqdes, 64)), "EBADF");
  }, { oflag: O_WRONLY }));

cases.test("PMQ-013", () =>
  withDescriptor((mqdes) => {
    for (const priority of [1, 3, 2]) mq_send(mqdes, bytes("x"), priority);
    assertEquals([1, 2, 3].map(() => mq_receive(mqdes, 64).msg_prio), [3, 2, 1]);
  }));

cases.test("PMQ-014", () =>
  withDescriptor((mqdes) => {
    for (const text of ["a", "b", "c"]) mq_send(mqdes, bytes(text), 5);
    assertEquals([1, 2, 3].map(() => mq_receive(mqdes, 64).msg), ["a", "b", "c"].map(bytes));
  }));

cases.test("PMQ-015", () =>
  withDescriptor((mqdes) => {
    assertEquals(code(() => mq_send(mqdes, bytes("x"), MQ_PRIO_MAX)), "EINVAL");
    assertEquals(mq_getattr(mqdes).mq_curmsgs, 0);
    mq_send(mqdes, bytes("x"), MQ_PRIO_MAX - 1);
    assertEquals(mq_receive(mqdes, 64).msg_prio, MQ_PRIO_MAX - 1);
  }));

cases.test("PMQ-017", () =>
  withDescriptor((mqdes) => {
    assertEquals(code(() => mq_send(mqdes, new Uint8Array(65))), "EMSGSIZE");
  }));

cases.test("PMQ-018", () =>
  withDescriptor((mqdes) => {
    const longest = crypto.getRandomValues(new Uint8Array(64));
    mq_send(mqdes, longest);
    mq_send(mqdes, new Uint8Array());
    assertEquals([mq_receive(mqdes, 64).msg, mq_receive(mqdes, 64).msg], [longest, new Uint8Array()]);
  }));

cases.test("PMQ-019", () =>
  withDescriptor((mqdes) => {
    mq_send(mqdes, bytes("short"));
    assertEquals(code(() => mq_receive(mqdes, 63)), "EMSGSIZE");
    assertEquals(mq_getattr(mqdes).mq_curmsgs, 1);
  }));

cases.test("PMQ-020", () =>
  withDescriptor((mqdes) => {
    for (let index = 0; index < SIZE.mq_maxmsg; index++) mq_send(mqdes, bytes("x"));
    assertEquals(code(() => mq_send(mqdes, bytes("x"))), "EAGAIN");
    assertEquals(mq_getattr(mqdes).mq_curmsgs, SIZE.mq_maxmsg);
  }, { oflag: O_RDWR | O_NONBLOCK }));

cases.test("PMQ-021", () =>
  withDescriptor((mqdes) => {
    assertEquals(code(() => mq_receive(mqdes, 64)), "EAGAIN");
  }, { oflag: O_RDWR | O_NONBLOCK }));

cases.test("PMQ-022", () =>
  withDescriptor((mqdes) => {
    const deadline = inMilliseconds(50);
    assertEquals(code(() => mq_timedreceive(mqdes, 64, deadline)), "ETIMEDOUT");
    assert(Date.now() >= deadline.sec * 1000 + deadline.nsec / 1e6, "it came back too early");
  }));

cases.test("PMQ-024", () =>
  withDescriptor((mqdes) => {
    for (let index = 0; index < SIZE.mq_maxmsg; index++) mq_send(mqdes, bytes("x"));
    const { sec } = inMilliseconds(1000);
    for (const nsec of [1e9, -1]) {
      assertEquals(code(() => mq_timedsend(mqdes, bytes("x"), 0, { sec, nsec })), "EINVAL");
    }
  }));

cases.test("PMQ-027", () =>
  withDescriptor((mqdes) => {
    const next = { mq_flags: O_NONBLOCK, mq_maxmsg: 2, mq_msgsize: 8, mq_curmsgs: 1 };
    assertEquals(mq_setattr(mqdes, next), { mq_flags: 0, ...SIZE, mq_curmsgs: 0 });
    assertEquals(mq_getattr(mqdes), { mq_flags: O_NONBLOCK, ...SIZE, mq_curmsgs: 0 });
  }));

cases.test("PMQ-028", () =>
  withDescriptor((mqdes) => {
    assertEquals(mq_getattr(mqdes).mq_curmsgs, 0);
    for (let index = 0; index < 2; index++) mq_send(mqdes, bytes("x"));
    assertEquals(mq_getattr(mqdes).mq_curmsgs, 2);
  }));

cases.test("PMQ-029", () =>
  withDescriptor((mqdes, name) => {
    mq_unlink(name);
    mq_send(mqdes, bytes("still here"));
    const other = mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, SIZE);
    try {
      assertEquals(mq_getattr(other).mq_curmsgs, 0);
      assertEquals(mq_receive(mqdes, 64).msg, bytes("still here"));
    } finally {
      mq_close(other);
    }
  }));

cases.test("PMQ-030", () => {
  assertEquals(code(() => mq_unlink(ownName())), "ENOENT");
});

cases.test("PMQ-033", () =>
  withDescriptor(async (mqdes, name) => {
    let signals = 0;
    const count = () => void signals++;
    Deno.addSignalListener("SIGUSR2", count);
    const until = async (wanted: number) => {
      for (let looks = 0; signals < wanted && looks < 1000; looks++) await pause(10);
      // Were there another, it would come now.
      await pause(50);
      assertEquals(signals, wanted);
    };
    const event = { sigev_notify: SIGEV_SIGNAL, sigev_signo: SIGUSR2 };
    const receiveAll = () => {
      while (mq_getattr(mqdes).mq_curmsgs > 0) mq_receive(mqdes, 64);
    };
    try {
      mq_notify(mqdes, event);
      assertEquals(code(() => mq_notify(mqdes, event)), "EBUSY");
      mq_send(mqdes, bytes("one"));
      await until(1);
      receiveAll();
      mq_send(mqdes, bytes("not told"));
      receiveAll();
      mq_notify(mqdes, event);
      mq_send(mqdes, bytes("two"));
      mq_send(mqdes, bytes("not empty"));
      await until(2);
      receiveAll();
      mq_notify(mqdes, event);
      await using receiver = new TestProcess(`
        import { mq_open, mq_receive } from ${SYS};
        const mqdes = mq_open("${name}", 0);
        console.log("ready");
        mq_receive(mqdes, 64);
        console.log("received");`);
      assertEquals(await receiver.line(), "ready");
      await receiver.blocked();
      mq_send(mqdes, bytes("for the one who waits"));
      assertEquals(await receiver.line(), "received");
      await until(2);
      mq_notify(mqdes, null);
      mq_send(mqdes, bytes("nobody is registered"));
      await until(2);
    } finally {
      Deno.removeSignalListener("SIGUSR2", count);
    }
  }));

cases.test("PMQ-034", () =>
  withQueue(async (queue) => {
    assertThrows(
      () => mq_notify(queue.fd, { sigev_notify: SIGEV_SIGNAL, sigev_signo: 10 }),
      RangeError,
      "SIGUSR1",
    );
    const notified = queue.notify();
    // Looking so closes a descriptor of the queue, which drops the registration: it is made again.
    const registered = new TextDecoder().decode(Deno.readFileSync(`/proc/self/fd/${queue.fd}`));
    assertEquals(/SIGNO:(\d+)/.exec(registered)?.[1], "0");
    queue.sendSync(bytes("x"));
    await notified;
  }));

cases.test("PMQ-035", () =>
  withQueue((queue) => {
    const mqdes = dupCloexec(queue.fd);
    mq_close(mqdes);
    const calls = [
      () => mq_send(mqdes, bytes("x")),
      () => mq_receive(mqdes, 64),
      () => mq_getattr(mqdes),
      () => mq_close(mqdes),
    ];
    for (const call of calls) assertEquals(code(call), "EBADF");
    queue.close();
    const closed = [
      () => queue.sendSync(bytes("x")),
      () => queue.receiveSync(),
      () => queue.attributes(),
    ];
    for (const call of closed) assertThrows(call, ClosedError);
  }));

const libc = bind({ fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" } });

cases.test("PMQ-037", () =>
  withDescriptor((mqdes) => {
    assertEquals(libc.fcntl(mqdes, abi.F_GETFD, 0), abi.FD_CLOEXEC);
  }));

cases.complete();

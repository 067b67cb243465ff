import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { constants } from "./_abi.ts";
import { UnixStream } from "./mod.ts";
import { close, send, socketpair } from "./sys.ts";
import { CEILING } from "./testdata/process.ts";

leakCheck();

const { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } = constants;

Deno.test("a peer that dribbles has so long for a message as it is given", async () => {
  const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  await using channel = new UnixStream(other, { idleTimeout: 50 });
  send(fd, new Uint8Array([100, 0, 0, 0]));
  const dribble = setInterval(() => send(fd, new Uint8Array(1)), 10);
  try {
    await assertRejects(() => channel.receive(CEILING), TimeoutError, "began a message");
    assertEquals(await channel.receive(CEILING), undefined);
  } finally {
    clearInterval(dribble);
    close(fd);
  }
});

Deno.test("the time that a peer has for a message is that in which somebody waits for it", async () => {
  const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  await using channel = new UnixStream(other, { idleTimeout: 500 });
  try {
    send(fd, new Uint8Array([3, 0, 0, 0, 1]));
    assertEquals(channel.tryReceive(), undefined);
    for (let round = 0; round < 2; round++) {
      // We do something else for longer than that, after a look, and after a wait.
      await new Promise((resolve) => setTimeout(resolve, 600));
      await assertRejects(
        () => channel.receive({ timeout: 5 }),
        TimeoutError,
        "nothing happened within 5 ms",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 600));
    assertThrows(() => channel.receiveSync({ timeout: 5 }), TimeoutError, "nothing happened within 5 ms");
    send(fd, new Uint8Array([2, 3]));
    assertEquals(await channel.receive(CEILING), new Uint8Array([1, 2, 3]));
  } finally {
    close(fd);
  }
});

for (const form of ["receive", "receiveSync"] as const) {
  Deno.test(`a peer that says nothing has so long to begin a message as it is given: ${form}`, async () => {
    const [fd, other] = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
    await using channel = new UnixStream(other, { silenceTimeout: 50 });
    try {
      send(fd, new Uint8Array([1, 0, 0, 0, 7]));
      assertEquals(channel.receiveSync(CEILING), new Uint8Array([7]));
      await assertRejects(async () => await channel[form](CEILING), TimeoutError, "said nothing for 50 ms");
      assertEquals(await channel.receive(CEILING), undefined);
    } finally {
      close(fd);
    }
  });
}

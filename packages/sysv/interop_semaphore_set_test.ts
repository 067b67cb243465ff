import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NotFoundError, RemovedError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { warmUpWaiting } from "./_waiting/mod.ts";
import { SemaphoreSet } from "./mod.ts";
import {
  c,
  commonFields,
  OwnKey,
  Peer,
  perl,
  php,
  python3,
  seconds,
  until,
} from "./testdata/interop_peer.ts";

Deno.test.beforeAll(warmUpWaiting);
leakCheck();

const CEILING = { timeout: 20_000 };

/** Compares every field that a peer tells. */
async function compareStatus(peer: Peer, set: SemaphoreSet): Promise<void> {
  const told = await peer.ask<Record<string, number>>("set", "status");
  const status = set.stat();
  const ours: Record<string, number> = {
    ...commonFields(status),
    nsems: status.semaphores,
    otime: seconds(status.lastOperationTime),
  };
  assert("otime" in told);
  for (const [name, value] of Object.entries(told)) assertEquals([name, ours[name]], [name, value]);
}

for (const language of [c, perl, python3]) {
  const { name, missing: ignore } = language;

  Deno.test(`a semaphore that ${name} created is used and removed by us`, { ignore }, async () => {
    using own = new OwnKey();
    await using peer = await Peer.start(language);
    await peer.ask("set", "create", own.key, 1, 2, "640");

    using set = SemaphoreSet.open(own.key);
    assertEquals([set.size, set.values, set.stat().mode], [1, [2], 0o640]);
    const semaphore = set.at(0);
    await assertRejects(() => SemaphoreSet.openOrCreate(own.key, { timeout: 1 }), TimeoutError, "ts values");
    const opening = SemaphoreSet.openOrCreate(own.key, { initial: 9, ...CEILING });
    assertEquals(await peer.ask("set", "operate", "0:-1:n"), true);
    using same = await opening;
    assertEquals(same.values, [1], "its first operation tells that it has its values");
    assertEquals(semaphore.lastPid, peer.pid);
    semaphore.acquireSync(1);
    assertEquals(semaphore.tryAcquire(1), false);
    assertEquals(await peer.ask("set", "operate", "0:-1:n"), false);
    await compareStatus(peer, set);

    const acquired = peer.ask("set", "operate", "0:-2:");
    await until(() => semaphore.waitersForIncrease === 1);
    semaphore.release(2);
    assertEquals(await acquired, true);

    semaphore.release(1);
    const empty = peer.ask("set", "operate", "0:0:");
    await until(() => semaphore.waitersForZero === 1);
    await semaphore.acquire(1, CEILING);
    assertEquals(await empty, true);

    const waiting = peer.ask("set", "operate", "0:-1:");
    await until(() => semaphore.waitersForIncrease === 1);
    set.remove();
    await assertRejects(() => waiting, Error, "failed");
    assertThrows(() => SemaphoreSet.open(own.key), NotFoundError);
  });

  Deno.test(`a semaphore that we created is used and removed by ${name}`, { ignore }, async () => {
    using own = new OwnKey();
    using set = SemaphoreSet.create(own.key, { initial: 3 });
    const semaphore = set.at(0);
    await using peer = await Peer.start(language);
    await peer.ask("set", "open", own.key);
    assertEquals(await peer.ask("set", "values"), [3]);
    assertEquals(await peer.ask("set", "operate", "0:-3:"), true);

    const acquired = semaphore.acquire(2, CEILING);
    assertEquals(await peer.ask("set", "operate", "0:2:"), true);
    await acquired;
    assertEquals(await peer.ask("set", "values"), [0]);

    await peer.ask("set", "operate", "0:1:");
    const zero = semaphore.waitForZero(CEILING);
    assertEquals(await peer.ask("set", "operate", "0:-1:"), true);
    await zero;
    await compareStatus(peer, set);

    const gone = [
      assertRejects(() => semaphore.acquire(1, CEILING), RemovedError),
      assertRejects(() => set.operate([{ index: 0, by: -2 }], CEILING), RemovedError),
    ];
    await peer.ask("set", "remove");
    await Promise.all(gone);
    assertThrows(() => set.values, RemovedError);
  });

  Deno.test(`what ${name} took with undo comes back when it is killed`, { ignore }, async () => {
    using own = new OwnKey();
    using set = SemaphoreSet.create(own.key, { initial: 5, removeOnClose: true });
    await using peer = await Peer.start(language);
    await peer.ask("set", "open", own.key);
    await peer.ask("set", "operate", "0:-3:u");
    await peer.ask("set", "operate", "0:-1:");
    assertEquals(set.values, [1]);
    const acquired = set.at(0).acquire(4, CEILING);
    await peer.kill();
    await acquired;
    assertEquals(set.values, [0], "what it took without undo is gone");
  });
}

for (const language of [c, perl]) {
  const { name, missing: ignore } = language;

  Deno.test(`${name} and we operate on several semaphores at once`, { ignore }, async () => {
    using own = new OwnKey();
    await using peer = await Peer.start(language);
    await peer.ask("set", "create", own.key, 4, 1, "600");
    using set = SemaphoreSet.open(own.key);
    assertEquals(set.size, 4);

    assertEquals(set.tryOperate([{ index: 0, by: -1 }, { index: 3, by: 2 }]), true);
    assertEquals(await peer.ask("set", "values"), [0, 1, 1, 3]);
    assertEquals(await peer.ask("set", "operate", "0:-1:n", "1:-1:n"), false);
    assertEquals(set.values, [0, 1, 1, 3], "all or nothing");

    const both = set.operate([{ index: 0, by: -1, undo: true }, { index: 1, by: 0 }], CEILING);
    assertEquals(await peer.ask("set", "operate", "1:-1:", "3:-3:"), true);
    assertEquals(await peer.ask("set", "operate", "0:1:"), true);
    await both;
    assertEquals(await peer.ask("set", "values"), [0, 0, 1, 0]);

    set.setValues([4, 3, 2, 1]);
    assertEquals(await peer.ask("set", "values"), [4, 3, 2, 1]);
    set.remove();
  });
}

/**
 * What sem_get makes: the semaphore; how many programs of php use it; and a lock for their coming. The first who
 * comes gives the semaphore its value, so whoever joins them has to be counted too.
 */
const [SEMAPHORE, USERS, COMING] = [0, 1, 2];

Deno.test("php and we exclude one another with a semaphore of sem_get", { ignore: php.missing }, async () => {
  using own = new OwnKey();
  await using peer = await Peer.start(php);
  await peer.ask("semaphore", "get", own.key, 1);
  using set = SemaphoreSet.open(own.key);
  assertEquals(set.values, [1, 1, 0]);

  const semaphore = set.at(SEMAPHORE);
  await peer.ask("semaphore", "acquire");
  assertEquals(semaphore.tryAcquire(1, { undo: true }), false);
  const acquired = semaphore.acquire(1, { undo: true, ...CEILING });
  await peer.ask("semaphore", "release");
  await acquired;
  assertEquals(await peer.ask("semaphore", "try"), { acquired: false });

  const theirs = peer.ask("semaphore", "acquire");
  await until(() => semaphore.waitersForIncrease === 1);
  semaphore.release(1, { undo: true });
  await theirs;
  assertEquals(set.values, [0, 1, 0]);
  await peer.end();
  assertEquals(set.values, [1, 0, 0], "php released what it held");
  set.remove();
});

Deno.test(
  "who joins the users of php's sem_get keeps the semaphore's value",
  { ignore: php.missing },
  async () => {
    using own = new OwnKey();
    using set = SemaphoreSet.create(own.key, { size: 3, removeOnClose: true });
    set.operateSync([
      { index: COMING, by: 0 },
      { index: COMING, by: 1, undo: true },
      { index: USERS, by: 1, undo: true },
    ]);
    set.at(SEMAPHORE).setValue(1);
    set.operateSync([{ index: COMING, by: -1, undo: true }]);
    set.at(SEMAPHORE).acquireSync(1, { undo: true });

    await using peer = await Peer.start(php);
    await peer.ask("semaphore", "get", own.key, 1);
    assertEquals(set.values, [0, 2, 0]);
    assertEquals(await peer.ask("semaphore", "try"), { acquired: false });
    set.at(SEMAPHORE).release(1, { undo: true });
    assertEquals(await peer.ask("semaphore", "try"), { acquired: true });
    await peer.end();
    assertEquals(set.values, [1, 1, 0]);
  },
);

Deno.test("php removes a semaphore for which we wait", { ignore: php.missing }, async () => {
  using own = new OwnKey();
  await using peer = await Peer.start(php);
  await peer.ask("semaphore", "get", own.key, 1);
  await peer.ask("semaphore", "acquire");
  using set = SemaphoreSet.open(own.key);
  const gone = assertRejects(() => set.at(SEMAPHORE).acquire(1, CEILING), RemovedError);
  await peer.ask("semaphore", "remove");
  await gone;
});

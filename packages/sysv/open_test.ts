/** What is common to all three kinds: creating, opening, trusting, changing and removing. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ERRNO,
  formatKey,
  IPC_PRIVATE,
  type Key,
  LimitError,
  NotFoundError,
  PermissionError,
  RemovedError,
  UntrustedError,
} from "@ipc/core";
import { interceptCalls, setErrno } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { constants, ipcPerm } from "./_abi.ts";
import type { Kind } from "./_kinds.ts";
import { change, create, type Found, open, openOrCreate, remove, status } from "./_object.ts";
import { kinds, nextSecond, withKey } from "./testdata/objects.ts";
import { asUser, canBeAnother, NOBODY } from "./testdata/process.ts";

leakCheck();

/** Registers a test for each kind, with a key whose object is removed in the end. */
function each(
  name: string,
  test: (kind: Kind, key: Key, size: number) => unknown,
  { ignore = false } = {},
): void {
  for (const [kind, size] of kinds) {
    Deno.test({ name: `${kind.object}: ${name}`, ignore, fn: () => withKey((key) => test(kind, key, size)) });
  }
}

const asAnother = { ignore: !canBeAnother };

each("create is exclusive, open finds it by key and by id", (kind, key, size) => {
  const missing = assertThrows(() => open(kind, key, {}), NotFoundError);
  assertEquals(missing.message, `Cannot open ${kind.object} ${formatKey(key)}: no such ${kind.object}`);
  assertEquals([missing.code, missing.syscall, missing.target], ["ENOENT", kind.getter, formatKey(key)]);

  const made = create(kind, key, size, {});
  assertEquals([made.created, made.name], [true, formatKey(key)]);
  const taken = assertThrows(() => create(kind, key, size, {}), AlreadyExistsError);
  assertEquals(taken.message, `Cannot create ${kind.object} ${formatKey(key)}: exists already`);
  assertEquals(open(kind, key, {}), { ...made, created: false });
  assertEquals(open(kind, { id: made.id }, {}), { id: made.id, name: `id ${made.id}`, created: false });
  assertEquals(openOrCreate(kind, key, size, {}), { ...made, created: false });
});

each("openOrCreate creates what is missing", (kind, key, size) => {
  const made = openOrCreate(kind, key, size, { mode: 0o640 });
  assertEquals([made.created, status(kind, made).mode], [true, 0o640]);
  assertEquals(openOrCreate(kind, key, size, { mode: 0o600 }).created, false);
  assertEquals(status(kind, made).mode, 0o640);
});

each("the mode is exact whatever the umask, 0600 unless told", (kind, key, size) => {
  const before = Deno.umask();
  try {
    for (const umask of [0, 0o022, 0o777]) {
      Deno.umask(umask);
      for (const mode of [undefined, 0, 0o600, 0o666, 0o777]) {
        const made = create(kind, key, size, { mode });
        assertEquals(status(kind, made).mode, mode ?? 0o600);
        remove(kind, made);
      }
    }
  } finally {
    Deno.umask(before);
  }
});

each("bad arguments are refused before any call", (kind, key, size) => {
  interceptCalls((symbol) => {
    throw new Error(`${symbol} was called`);
  });
  try {
    for (const mode of [-1, 0o1000, 0.5, NaN]) {
      assertThrows(() => create(kind, key, size, { mode }), RangeError, "it has nine bits, such as 0o600");
      assertThrows(() => openOrCreate(kind, key, size, { mode }), RangeError);
    }
    for (const bad of [2 ** 31, 0.5, NaN, "1234"]) {
      for (const call of [create, openOrCreate]) {
        assertThrows(() => call(kind, bad as Key, size, {}), TypeError, "see parseKey");
      }
      assertThrows(() => open(kind, bad as Key, {}), TypeError, "see parseKey");
    }
    for (const id of [-1, 0.5, NaN, 2 ** 31]) {
      assertThrows(() => open(kind, { id }, {}), TypeError, "an id is an integer from 0");
    }
    assertThrows(() => open(kind, IPC_PRIVATE, {}), TypeError, "opened by its id");
    assertThrows(() => openOrCreate(kind, IPC_PRIVATE, size, {}), TypeError, "use create");
    const found: Found = { id: 0, name: "it", created: false };
    for (const bad of [-1, 0.5, 2 ** 32 - 1]) {
      for (const wish of [{ uid: bad }, { gid: bad }]) {
        assertThrows(() => change(kind, found, wish), RangeError, "is no user or group");
      }
    }
    assertThrows(() => change(kind, found, { mode: 0o1000 }), RangeError);
  } finally {
    interceptCalls(undefined);
  }
});

each("without a key, each creation gives another one", (kind, _key, size) => {
  const made = [create(kind, IPC_PRIVATE, size, {}), create(kind, IPC_PRIVATE, size, {})] as const;
  try {
    assert(made[0].id !== made[1].id);
    assertEquals(made.map((each) => status(kind, each).key as number), [0, 0]);
    assertEquals(made[0].name, `id ${made[0].id}`);
  } finally {
    for (const each of made) remove(kind, each);
  }
});

each("what was removed is RemovedError with a hint, for every call, also by id", (kind, key, size) => {
  const made = create(kind, key, size, {});
  remove(kind, made);
  const calls = {
    "look at": () => status(kind, made),
    remove: () => remove(kind, made),
    change: () => change(kind, made, { mode: 0o600 }),
  };
  for (const [verb, call] of Object.entries(calls)) {
    const error = assertThrows(call, RemovedError);
    assertEquals(error.message, `Cannot ${verb} ${kind.object} ${formatKey(key)}: it was removed`);
    assertEquals([error.code, error.syscall, error.target], ["EIDRM", kind.controller, formatKey(key)]);
    assert(error.hint!.includes("RemoveIPC"));
  }
  assertThrows(() => open(kind, { id: made.id }, {}), RemovedError);
  assertThrows(() => open(kind, key, {}), NotFoundError);
});

each("set changes owner, group and mode, each alone, and the time of change", async (kind, key, size) => {
  const made = create(kind, key, size, { mode: 0o640 });
  const before = status(kind, made);
  await nextSecond();
  change(kind, made, { mode: 0o604 });
  const after = status(kind, made);
  assertEquals<unknown>({ ...after, mode: 0o640, changeTime: before.changeTime }, before);
  assertEquals(after.mode, 0o604);
  assert(after.changeTime > before.changeTime);
  if (!canBeAnother) return;
  change(kind, made, { uid: 1234 });
  change(kind, made, { gid: 4321 });
  const { uid, gid, mode, creatorUid, creatorGid } = status(kind, made);
  assertEquals([uid, gid, mode, creatorUid, creatorGid], [1234, 4321, 0o604, 0, before.creatorGid]);
});

each("somebody else's is UntrustedError, unless that user is allowed", (kind, key, size) => {
  const made = asUser(NOBODY, () => create(kind, key, size, { mode: 0o666 }));
  const { id } = made;
  for (const [target, name] of [[key, formatKey(key)], [{ id }, `id ${id}`]] as const) {
    const error = assertThrows(() => open(kind, target, {}), UntrustedError);
    assertEquals(
      error.message,
      `Cannot open ${kind.object} ${name}: it belongs to uid ${NOBODY}, was created by uid ${NOBODY}, and has mode 0666`,
    );
    assertEquals([error.target, error.hint], [
      name,
      "allow that user with allowOwner, if it is who you expect",
    ]);
    assertThrows(() => open(kind, target, { allowOwner: [1, 2] }), UntrustedError);
    const odd = `${NOBODY}` as unknown as number;
    assertThrows(() => open(kind, target, { allowOwner: odd }), TypeError, "allowOwner is a user's number");
    for (const allowOwner of [NOBODY, [1, NOBODY], "any"] as const) {
      assertEquals(open(kind, target, { allowOwner }).id, id);
    }
  }
  assertThrows(() => openOrCreate(kind, key, size, {}), UntrustedError);
  assertEquals(openOrCreate(kind, key, size, { allowOwner: NOBODY }).id, id);
}, asAnother);

each("who was given it, and who created it, must both be trusted", (kind, key, size) => {
  const made = create(kind, key, size, {});
  change(kind, made, { uid: NOBODY });
  const owned = "belongs to uid 65534, was created by uid 0,";
  assertThrows(() => open(kind, key, {}), UntrustedError, owned);
  assertEquals(open(kind, key, { allowOwner: NOBODY }).id, made.id);
  asUser(NOBODY, () => {
    assertThrows(() => open(kind, key, {}), UntrustedError, owned);
    assertEquals(open(kind, key, { allowOwner: 0 }).id, made.id);
  });
}, asAnother);

each("another user looks without permission to read, but neither changes nor removes", (kind, key, size) => {
  const made = create(kind, key, size, { mode: 0o600 });
  asUser(NOBODY, () => {
    const found = open(kind, key, { allowOwner: 0 });
    assertEquals(status(kind, found), status(kind, made));
    for (const call of [() => remove(kind, found), () => change(kind, found, { mode: 0o666 })]) {
      assertThrows(call, PermissionError);
    }
  });
  assertEquals(status(kind, made).mode, 0o600);
}, asAnother);

each("looking by index does not take what has the place of a removed one for it", (kind, key, size) => {
  const first = create(kind, key, size, {});
  remove(kind, first);
  const second = create(kind, key, size, {});
  // Without permission to read only the other way of looking is left.
  asUser(NOBODY, () => {
    assertThrows(() => status(kind, first), RemovedError);
    assertEquals(status(kind, second).id, second.id);
  });
}, asAnother);

each("openOrCreate goes on where others create and remove all the time", (kind, key, size) => {
  let steals = 0;
  interceptCalls((symbol, args, real) => {
    // Created between our looking and our creating; removed between our finding and our looking at it.
    if (symbol === kind.getter && (args.at(-1) as number) & constants.IPC_EXCL && steals < 3) {
      steals++;
      create(kind, key, size, {});
    } else if (symbol === kind.controller && args.includes(constants.IPC_STAT) && steals > 0 && steals < 3) {
      real(...args.map((arg) => arg === constants.IPC_STAT ? constants.IPC_RMID : arg));
    }
    return real(...args);
  });
  try {
    const found = openOrCreate(kind, key, size, {});
    assertEquals([found.created, status(kind, found).key, steals], [false, key, 3]);
  } finally {
    interceptCalls(undefined);
  }
});

each("a full table is LimitError with what to do", (kind, key, size) => {
  interceptCalls((symbol, args, real) => {
    if (symbol !== kind.getter) return real(...args);
    setErrno(ERRNO.ENOSPC);
    return -1;
  });
  try {
    const error = assertThrows(() => create(kind, key, size, {}), LimitError);
    assertEquals(error.hint, "remove what nobody uses (ipcs, ipcrm), or raise the kernel's limit (ipcs -l)");
  } finally {
    interceptCalls(undefined);
  }
});

each("times have whole seconds, and the key and ids are read as they are", (kind, key, size) => {
  const made = create(kind, key, size, {});
  const { changeTime, ...rest } = status(kind, made);
  assertEquals(changeTime.getTime() % 1000, 0);
  assertEquals([rest.id, rest.key], [made.id, key]);
  const buffer = new Uint8Array(kind.structSize);
  const view = new DataView(buffer.buffer);
  view.setUint32(ipcPerm.uid, 4_000_000_000, true);
  view.setInt32(ipcPerm.key, -5, true);
  const { uid, key: negative } = kind.read(made.id, view);
  assertEquals([uid, negative as number], [4_000_000_000, -5]);
});

each("who owns it can give back a mode that keeps even its owner out", (kind, key, size) => {
  asUser(NOBODY, () => {
    const found = create(kind, key, size, { mode: 0o200 });
    change(kind, found, { mode: 0o600 });
    assertEquals(status(kind, found).mode, 0o600);
  });
}, asAnother);

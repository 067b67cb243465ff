import { assertEquals } from "@std/assert";
import { pageSize } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { has } from "../core/testdata/child.ts";
import { type Limit, type LimitName, limits } from "./limits.ts";
import { answer, withLimits } from "./testdata/process.ts";

leakCheck();

const MOD = JSON.stringify(new URL("mod.ts", import.meta.url).href);
const SYS = JSON.stringify(new URL("sys.ts", import.meta.url).href);

function setting(name: string): number[] {
  return Deno.readTextFileSync(`/proc/sys/kernel/${name}`).trim().split(/\s+/).map(Number);
}

function byName(all: readonly Limit[]): Record<LimitName, Limit> {
  return Object.fromEntries(all.map((each) => [each.name, each])) as Record<LimitName, Limit>;
}

Deno.test("limits are what /proc/sys/kernel says", () => {
  const found = limits();
  const [semmsl, semmns, semopm, semmni] = setting("sem");
  const expected: Record<LimitName, number | undefined> = {
    MSGMAX: setting("msgmax")[0],
    MSGMNB: setting("msgmnb")[0],
    MSGMNI: setting("msgmni")[0],
    SEMMSL: semmsl,
    SEMMNS: semmns,
    SEMOPM: semopm,
    SEMMNI: semmni,
    SEMVMX: 32_767,
    SHMMAX: setting("shmmax")[0],
    SHMALL: setting("shmall")[0],
    SHMMNI: setting("shmmni")[0],
  };
  assertEquals(Object.fromEntries(found.map(({ name, limit }) => [name, limit])), expected as object);
  assertEquals(found.map(({ name }) => name), Object.keys(expected) as LimitName[]);
});

/** Five queues of six, and so on, in a namespace of its own. */
const few = withLimits({
  msgmni: "6",
  sem: '"10 40 5 8"',
  shmmni: "4",
  shmall: "100",
  shmmax: "65536",
  msgmax: "1000",
});
const source = (sizes: number[]) => `
  import { limits } from ${MOD};
  import { msgget, semget, shmget } from ${SYS};
  for (let n = 0; n < 5; n++) msgget(0, 0o600);
  for (const size of [1, 9]) semget(0, size, 0o600);
  for (const size of ${JSON.stringify(sizes)}) shmget(0, size, 0o600);
  const run = (command, ...args) => {
    try { return new TextDecoder().decode(new Deno.Command(command, { args, env: { LC_ALL: "C" } }).outputSync().stdout); }
    catch { return ""; }
  };
  console.log(JSON.stringify({ limits: limits(), lsipc: run("lsipc", "--json"), ipcs: run("ipcs", "-l") + run("ipcs", "-u") }));`;

interface Told {
  limits: Limit[];
  lsipc: string;
  ipcs: string;
}

Deno.test({
  name: "limits tell what is in use, in percent",
  ignore: few === undefined,
  fn: async () => {
    const sizes = [1, 65_536, 4097];
    const told = await answer(source(sizes), { before: few }) as Told;
    const pages = sizes.reduce((sum, size) => sum + Math.ceil(size / pageSize()), 0);
    const { MSGMNI, SEMMNS, SEMMNI, SHMALL, SHMMNI, SHMMAX, MSGMAX, SEMOPM } = byName(told.limits);
    assertEquals([MSGMNI.limit, MSGMNI.used, MSGMNI.percent], [6, 5, 5 / 6 * 100]);
    assertEquals([SEMMNI.limit, SEMMNI.used, SEMMNI.percent], [8, 2, 25]);
    assertEquals([SEMMNS.limit, SEMMNS.used, SEMMNS.percent], [40, 10, 25]);
    assertEquals([SHMMNI.limit, SHMMNI.used, SHMMNI.percent], [4, 3, 75]);
    assertEquals([SHMALL.limit, SHMALL.used, SHMALL.percent], [100, pages, SHMALL.used]);
    for (const { used, percent } of [SHMMAX, MSGMAX, SEMOPM]) {
      assertEquals([used, percent], [undefined, undefined]);
    }
    assertEquals([SHMMAX.limit, MSGMAX.limit, SEMOPM.limit], [65_536, 1000, 5]);
  },
});

Deno.test({
  name: "limits are what lsipc and ipcs show",
  ignore: few === undefined || !has("lsipc") || !has("ipcs"),
  fn: async () => {
    const told = await answer(source([1, 65_536]), { before: few }) as Told;
    const found = byName(told.limits);
    const rows: { resource: LimitName; limit: string; used: string; "use%": string }[] =
      JSON.parse(told.lsipc).ipclimits;
    // Some versions of lsipc count sets as semaphores, and bytes where the kernel counts pages; ipcs does not.
    const miscounted = ["SEMMNS", "SHMALL"];
    let compared = 0;
    for (const { resource, limit, used, "use%": percent } of rows) {
      const ours = found[resource];
      if (ours === undefined) continue;
      // Bytes are shown in round numbers: 64K.
      if (/^\d+$/.test(limit)) assertEquals(ours.limit, Number(limit), resource);
      compared++;
      if (miscounted.includes(resource)) continue;
      assertEquals(ours.used === undefined ? "-" : String(ours.used), used, resource);
      assertEquals(ours.percent === undefined ? "-" : `${ours.percent.toFixed(2)}%`, percent, resource);
    }
    assertEquals(compared, 11);

    const number = (text: string) => Number(new RegExp(`${text}[^=\\n]*[ =]+(\\d+)`).exec(told.ipcs)?.[1]);
    assertEquals(found.MSGMNI.limit, number("max queues system wide"));
    assertEquals(found.MSGMAX.limit, number("max size of message"));
    assertEquals(found.MSGMNB.limit, number("default max size of queue"));
    assertEquals(found.SHMMNI.limit, number("max number of segments"));
    assertEquals(found.SHMMAX.limit / 1024, number("max seg size"));
    assertEquals(found.SEMMNI.limit, number("max number of arrays"));
    assertEquals(found.SEMMSL.limit, number("max semaphores per array"));
    assertEquals(found.SEMMNS.limit, number("max semaphores system wide"));
    assertEquals(found.SEMOPM.limit, number("max ops per semop call"));
    assertEquals(found.SEMVMX.limit, number("semaphore max value"));
    assertEquals(found.MSGMNI.used, number("allocated queues"));
    assertEquals(found.SHMMNI.used, number("segments allocated"));
    assertEquals(found.SHMALL.used, number("pages allocated"));
    assertEquals(found.SEMMNI.used, number("used arrays"));
    assertEquals(found.SEMMNS.used, number("allocated semaphores"));
  },
});

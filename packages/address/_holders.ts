/** Who has a file open or mapped, as /proc tells: proc_pid_fd(5), proc_pid_fdinfo(5). */

/** Ids of the processes that have a file open. */
export interface Holders {
  /** For reading. */
  readonly readers: number[];
  /** For writing. */
  readonly writers: number[];
}

/** Looks through every process that this user may look into. Nothing is opened. */
export function holdersOf(file: Deno.FileInfo): Holders {
  const readers = new Set<number>();
  const writers = new Set<number>();
  for (const pid of numbersIn("/proc")) {
    for (const fd of numbersIn(`/proc/${pid}/fd`)) {
      const access = accessOf(pid, fd, file);
      if (access === undefined) continue;
      if (access !== WRITE_ONLY) readers.add(pid);
      if (access !== READ_ONLY) writers.add(pid);
    }
  }
  const ascending = (a: number, b: number) => a - b;
  return { readers: [...readers].sort(ascending), writers: [...writers].sort(ascending) };
}

const READ_ONLY = 0;
const WRITE_ONLY = 1;

/** How a process has the file open at this descriptor; `undefined`: it is another file, or gone by now. */
function accessOf(pid: number, fd: number, file: Deno.FileInfo): number | undefined {
  try {
    const { dev, ino } = Deno.statSync(`/proc/${pid}/fd/${fd}`);
    if (dev !== file.dev || ino !== file.ino) return undefined;
    const flags = /^flags:\s*([0-7]+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/fdinfo/${fd}`));
    return flags === null ? undefined : parseInt(flags[1]!, 8) & 3;
  } catch {
    return undefined;
  }
}

function numbersIn(folder: string): number[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => Number(name)).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** The processes that have System V shared memory attached, as /proc/PID/maps tells: its inode is the id. */
export function attachedBy(id: number): number[] {
  const ours = namespaceOf("self");
  return numbersIn("/proc").filter((pid) => {
    try {
      const maps = Deno.readTextFileSync(`/proc/${pid}/maps`);
      // Another IPC namespace has objects of the same ids.
      return new RegExp(` ${id} +/SYSV[0-9a-f]{8}( \\(deleted\\))?$`, "m").test(maps) &&
        namespaceOf(pid) === ours;
    } catch {
      return false;
    }
  }).sort((a, b) => a - b);
}

/** The processes that have a file mapped, by the path that /proc/PID/maps has. */
export function mappedBy(path: string): number[] {
  return mappings((name) => name === path).get(path) ?? [];
}

/** Every file below a folder that processes have mapped and share, with these processes. */
export function mappedBelow(folder: string): Map<string, number[]> {
  const prefix = `${folder.replace(/\/$/, "")}/`;
  return mappings((name, permissions) => permissions.endsWith("s") && name.startsWith(prefix));
}

/** The files that processes have mapped, with these processes, in the order of their ids. */
function mappings(wanted: (path: string, permissions: string) => boolean): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const pid of numbersIn("/proc").sort((a, b) => a - b)) {
    for (const [path, permissions] of mapsOf(pid)) {
      if (!wanted(path, permissions)) continue;
      const holders = found.get(path);
      if (holders === undefined) found.set(path, [pid]);
      else if (holders.at(-1) !== pid) holders.push(pid);
    }
  }
  return found;
}

/** What a process has mapped of files, with the letters for what it may do there: proc_pid_maps(5). */
function mapsOf(pid: number): [path: string, permissions: string][] {
  try {
    return [...Deno.readTextFileSync(`/proc/${pid}/maps`).matchAll(MAP)].map(([, permissions, path]) => {
      return [path!.replaceAll("\\012", "\n"), permissions!];
    });
  } catch {
    return [];
  }
}

const MAP = /^\S+ (\S{4}) \S+ \S+ \d+ +(\/.*)$/gm;

/** The processes that have sockets open, by the numbers of these. Nothing is opened. */
export function socketHolders(): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const pid of numbersIn("/proc").sort((a, b) => a - b)) {
    for (const fd of numbersIn(`/proc/${pid}/fd`)) {
      const inode = socketAt(pid, fd);
      if (inode === undefined) continue;
      const holders = found.get(inode);
      if (holders === undefined) found.set(inode, [pid]);
      else if (holders.at(-1) !== pid) holders.push(pid);
    }
  }
  return found;
}

/** The number of the socket at a descriptor; `undefined`: it is something else, or gone by now. */
function socketAt(pid: number, fd: number): number | undefined {
  try {
    const found = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/${pid}/fd/${fd}`));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

function namespaceOf(process: number | "self"): string {
  return Deno.readLinkSync(`/proc/${process}/ns/ipc`);
}

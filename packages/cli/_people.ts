/** Who is who on this machine, for people: users and groups by their numbers, processes by their ids. */

/** A user's name; the number where there is none. */
export function userName(uid: number): string {
  return nameIn("/etc/passwd", uid);
}

/** A group's name; the number where there is none. */
export function groupName(gid: number): string {
  return nameIn("/etc/group", gid);
}

/** A process by its id and, while it lives, its name. */
export function processName(pid: number): string {
  try {
    // A name may have control characters in it, and this goes to a terminal.
    return `${pid} ${Deno.readTextFileSync(`/proc/${pid}/comm`).trim().replace(/[^\x20-\x7e]/g, "?")}`;
  } catch {
    return String(pid);
  }
}

const tables = new Map<string, Map<string, string>>();

function nameIn(path: string, number: number): string {
  let names = tables.get(path);
  if (names === undefined) tables.set(path, names = readNames(path));
  return names.get(String(number)) ?? String(number);
}

/** The first and the third field of each line: passwd(5), group(5). */
function readNames(path: string): Map<string, string> {
  const names = new Map<string, string>();
  try {
    for (const line of Deno.readTextFileSync(path).split("\n")) {
      const [name, , number] = line.split(":");
      if (number !== undefined && !names.has(number)) names.set(number, name!);
    }
  } catch {
    // Numbers will do.
  }
  return names;
}

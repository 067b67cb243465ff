/** The machine that was measured, as far as it explains the figures. */

/** A machine. */
export interface Machine {
  /** The processor's name. */
  readonly cpu: string;
  /** CPUs that this process may use. */
  readonly cpus: number;
  /** The kernel's release. */
  readonly kernel: string;
  /** The architecture. */
  readonly arch: string;
  /** Processes that wanted a CPU in the minute before, on average; what else was running makes figures worse. */
  readonly load: number;
}

/** Looks at this machine. */
export function lookAtMachine(): Machine {
  return {
    cpu: cpuName(),
    cpus: navigator.hardwareConcurrency,
    kernel: `${Deno.build.os === "linux" ? "Linux" : Deno.build.os} ${Deno.osRelease()}`,
    arch: Deno.build.arch,
    load: Deno.loadavg()[0]!,
  };
}

/** The last CPU that this process may use: proc_pid_status(5). */
export function lastCpu(): number {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(read("/proc/self/status"))?.[1] ?? "";
  return Number(list.split(/[,-]/).at(-1));
}

function cpuName(): string {
  const name = /^model name\s*:\s*(.*)$/m.exec(read("/proc/cpuinfo"))?.[1];
  return name?.replaceAll(/\((R|TM)\)/gi, "").replaceAll(/\s+/g, " ").trim() ?? "an unnamed processor";
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

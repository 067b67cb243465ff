/**
 * What can be passed to another process: a descriptor's number, or anything that has one as its `fd`. That is an
 * `OwnedFd`, a channel or a listener of this package, an end of a pipe or FIFO, a memfd, a mapped file, POSIX shared
 * memory or a POSIX queue; and a `Deno.FsFile`.
 */
export type Handle = number | { readonly fd: number | undefined } | Deno.FsFile;

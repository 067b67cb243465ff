/** Constants of memfd_create(2) and fcntl(2) that are younger than the rest of them; a test asks the compiler. */

/** What is the same on every supported platform. */
export const constants = {
  /** memfd_create(2): no program, ever; Linux 6.3. */
  MFD_NOEXEC_SEAL: 8,
  /** fcntl(2): what MFD_NOEXEC_SEAL sets; Linux 6.3. */
  F_SEAL_EXEC: 0x20,
} as const;

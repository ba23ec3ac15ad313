/** What git calls the content: equal names, equal bytes. */
export function objectName(content: Buffer): string {
  // Loaded here, not at the top: it costs milliseconds.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
}

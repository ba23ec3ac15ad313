import module from 'node:module'

/** Where the running Node can keep compiled code, let it. */
export function enableCompileCache(): void {
  const enable = (module as { enableCompileCache?: () => unknown }).enableCompileCache
  enable?.()
}

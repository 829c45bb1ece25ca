/** What is asked of a client here; ioredis 5, 6 and a Cluster have it. */
interface Asked {
  info(section: string): Promise<string>
  zadd(key: string, score: number, member: string): Promise<unknown>
}

/** The member of a registry of leases that says since when this server has had it. */
export async function sinceMember(client: Pick<Asked, 'info'>): Promise<string> {
  return `@since${/run_id:([0-9a-f]+)/.exec(await client.info('server'))?.[1]}`
}

/** The registries of a namespace. */
export function registriesOf(namespace: string, partitions: number): readonly string[] {
  return Array.from({ length: partitions }, (_, partition) => `{${namespace}:${partition}}:r`)
}

/** Let a registry of leases have begun long ago, or at another time (epoch ms): a young one is waited for. */
export async function ageRegistry(client: Asked, registry: string, at: number = 1): Promise<void> {
  await client.zadd(registry, at, await sinceMember(client))
}

import type { Request } from 'express'
import { idField } from '../../shared/parameters.ts'
import { RequestProblem } from '../../shared/problem.ts'
import type { Reads } from '../reads.ts'

/** The id of somebody there is, in the JSON body. */
export async function userField(req: Request, name: string, reads: Pick<Reads, 'user'>): Promise<number> {
  const userId = idField(req, name)
  if ((await reads.user({ userId })) === undefined) throw new RequestProblem(400, `"${name}" is nobody.`)
  return userId
}

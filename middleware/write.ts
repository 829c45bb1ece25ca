import type { ServerResponse } from 'node:http'
import { type Invalidation, isSafeMethod, isStorableWrite, judgeInvalidation, originOf } from '../lib/http/methods.ts'
import { tagOf } from '../lib/key.ts'
import { type Fill, NOTHING_STORED } from '../lib/responses.ts'
import type { InvalidationTargets } from '../lib/stores/store.ts'
import { announceWrite } from './invalidate.ts'
import { keyOf, type Mount, type Pass, targetKey } from './mount.ts'
import { passExchange } from './pass.ts'
import { credentialsOf, type Received, requestTarget } from './request.ts'
import { fieldsOf } from './response-fields.ts'

/** Any other method: the handler answers, and what a successful write makes wrong goes (RFC 9111 s. 4.4). */
export function passMethod(mount: Mount, request: Received, res: ServerResponse, next: Pass): void {
  const { settings } = mount
  const { req, method } = request
  const target = isSafeMethod(method) ? undefined : requestTarget(request, settings, mount.app)
  if (target === undefined) return passExchange(mount, req, res, next, { forward: 'method', rule: 'DR-2' })
  const { engine } = settings
  const { uri, path } = target
  const origin = originOf(uri)
  // Judged once for each head: the outcome is told before anything is invalidated.
  let judgement: Invalidation
  const ruleAtHead = (): string => {
    judgement = judgeInvalidation({ method, status: res.statusCode, uri, fields: fieldsOf(res) })
    return judgement.rule
  }
  announceWrite(res, engine, () => {
    const { uris, groups } = judgement
    const tags = [...uris.map(tagOf.uri), ...groups.map((group) => tagOf.group(origin, group))]
    return { tags, patterns: [], all: false }
  })
  const why = { forward: 'method', ruleAtHead } as const
  let primary: string
  let keys: readonly string[]
  try {
    primary = targetKey(mount, req, target)
    const shared = settings.searchClasses?.classOf(uri)
    keys = shared === undefined ? [primary] : [primary, keyOf(mount, req, shared)]
  } catch (cause) {
    // Without its key nothing of the target can be looked up; what was announced stays.
    engine.events.emit('error', { where: 'options', cause })
    return passExchange(mount, req, res, next, why)
  }
  // GRP-4, GRP-5: what shares a group with something that goes, goes too.
  for (const key of keys) {
    announceWrite(res, engine, () => {
      const gone = judgement.uris.length > 0 ? engine.responses.tagsOf(key) : []
      return gone instanceof Promise ? gone.then(groupsAmong) : groupsAmong(gone)
    })
  }
  if (settings.profile === 'safe' || !isStorableWrite(method)) return passExchange(mount, req, res, next, why)
  const credentials = credentialsOf(request, settings)
  const named = { primary, uri, path }
  // MET-5: as the answer to a later GET, from after its own invalidation on.
  const fillAtHead = (): Fill => engine.responses.begin(named, NOTHING_STORED, req.headers, false)
  passExchange(mount, req, res, next, { ...why, target: named, credentials, fillAtHead })
}

function groupsAmong(tags: readonly string[]): InvalidationTargets {
  return { tags: tags.filter((tag) => tag.startsWith('g:')), patterns: [], all: false }
}

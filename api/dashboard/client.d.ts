// The types of client.js. Made from the OpenAPI document by `make client`: do not edit.

export interface ClientOptions {
  /** Where the API answers, without a slash at the end; the page's own origin if left out. */
  baseUrl?: string;
  /**
   * The JWT, or a function that gives it. The function is asked for each request, and once more,
   * with `refused: true`, when the API answered 401: then it should fetch a new token.
   */
  token?: string | null | TokenProvider;
  /** Instead of the browser's own. */
  fetch?: typeof globalThis.fetch;
}

export type TokenProvider = (state: { refused: boolean }) => string | null | Promise<string | null>;

export interface RequestOptions {
  /** Ends the request; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
}

export interface SyncLogExport {
  /** The CSV. */
  blob: Blob;
  filename: string;
  /** Whether the filter matches more rows than one export holds. */
  truncated: boolean;
}

/** The API answered with an error. `code` is stable, `message` is for people. */
export declare class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  /** What is wrong in the request, field by field. */
  readonly fields: FieldProblem[];
  /** When the same request may succeed, if the API said so. */
  readonly retryAfterMs: number | null;
}

export declare class BadRequestError extends ApiError {
  readonly status: 400;
}

export declare class UnauthorizedError extends ApiError {
  readonly status: 401;
}

export declare class ForbiddenError extends ApiError {
  readonly status: 403;
}

export declare class NotFoundError extends ApiError {
  readonly status: 404;
}

export declare class ConflictError extends ApiError {
  readonly status: 409;
}

export declare class TooLargeError extends ApiError {
  readonly status: 413;
}

export declare class RateLimitedError extends ApiError {
  readonly status: 429;
}

export declare class UnavailableError extends ApiError {
  readonly status: 503;
}

/** No answer came: offline, a wrong address, or an origin that the API does not allow. */
export declare class NetworkError extends Error {}

/** What was done. */
export type Action = "connected" | "disconnected" | "settings_changed" | "exported" | "retried" | "test_call_sent" | "person_erased" | "tenant_erased" | "sessions_ended" | "source_added" | "source_changed" | "source_removed";

/** What a call becomes in HubSpot: a note, or a Call object, which this version does not write yet. Holds for calls that come from now on. */
export type Activity = "note" | "call";

/** Who did it. */
export type Actor = "user" | "operator";

/** The process answers. */
export interface Alive {
  /** Always true; errors have false. */
  success: true;
}

/** Calls of a platform's source of which nobody knows yet whose they are. */
export interface AllUnassigned {
  /** Always true; errors have false. */
  success: true;
  /** Those with most calls first. */
  unassigned: Array<UnassignedShown>;
}

/** What was done, newest first. */
export interface AuditPage {
  /** Always true; errors have false. */
  success: true;
  entries: Array<DeedShown>;
  /** For the next page; null after the last entry. */
  next_cursor: string | null;
}

/** Where the browser goes next. */
export interface AuthorizationStarted {
  /** Always true; errors have false. */
  success: true;
  /** HubSpot's consent page. Good for 10 minutes and one use. */
  authUrl: string;
}

/**
 * What is known of a call beside whose it is; all of it may be absent or null.
 *
 * A webhook's fields of another kind are read where they can be read (`"67"` is 67), else left out
 * and named in `warnings`; what is longer than a note is cut.
 */
export interface CallContent {
  /** The customer's number in any spelling; absent or `anonymous` when withheld. */
  phone_number?: string | null;
  /** `inbound` or `outbound`, also as other platforms say it: `incoming`, `outbound-api`. */
  direction?: string | null;
  /** Who called; the customer of an inbound call without `phone_number`. */
  from_number?: string | null;
  /** Who was called; the customer of an outbound call without `phone_number`. */
  to_number?: string | null;
  /** Where the note stands on the contact's timeline. */
  started_at?: string | null;
  /** Stands in for `started_at`. */
  ended_at?: string | null;
  /** The difference of the two times if left out. */
  duration_seconds?: number | null;
  /** What was said, in short; line ends are kept. */
  summary?: string | null;
  /** Becomes a link if it is https; it is never fetched. */
  recording_url?: string | null;
  /** What was said, word by word; shortened where the note would be too long. */
  transcript?: Array<TranscriptTurn> | null;
  /** Who or what spoke for you. */
  agent_name?: string | null;
  /** Their address, as a user of HubSpot or of your own. */
  agent_email?: string | null;
  /** Your id of theirs. */
  agent_id?: string | null;
  /** How the call ended, in a word. */
  outcome?: string | null;
  /** Anything else that is known; becomes a list. */
  structured_data?: Record<string, unknown> | null;
}

/** Which calls are left out. */
export interface CallRules {
  /** Calls that were shorter. */
  min_duration_seconds: number;
  /** Calls in other directions. */
  directions: Array<Direction>;
  /** Calls that ended so. */
  skip_outcomes: Array<string>;
  /** Calls with these numbers of customers, in E.164. */
  blocked_numbers: Array<string>;
  /** Calls over these numbers of your own, in E.164. */
  skip_lines: Array<string>;
  /** Calls without a summary. */
  require_summary: boolean;
}

/** How numbers are read and matched, which calls are written, when, and with what. */
export interface ConnectionSettings {
  /** The two-letter region of numbers without a country code. */
  default_region: string;
  match_policy: MatchPolicy;
  /** Contact properties that are searched besides phone and mobile phone, by internal name. */
  phone_properties: Array<string>;
  /** Your own phone numbers, which are never the customer's, in E.164. */
  own_numbers: Array<string>;
  activity: Activity;
  write_when: WriteWhen;
  keep: Kept;
  rules: CallRules;
  /** What HubSpot did not accept when it was used last; absent where it did. */
  warnings?: Array<SettingWarning>;
}

/** Whether calls can be synced, and if not, whether it takes a new consent. */
export type ConnectionState = "connected" | "disconnected" | "reconnect_required";

/** The connection, and what becomes of calls. */
export interface ConnectionStatus {
  /** Always true; errors have false. */
  success: true;
  /** Whether `state` is connected. */
  connected: boolean;
  state: ConnectionState;
  /** The HubSpot account. */
  hubId: string | null;
  /** When the access token ends, in epoch milliseconds; it is renewed before. */
  tokenExpiresAt: number | null;
  /** When the account was connected last, in epoch milliseconds. */
  connectedAt: number | null;
  /** When a call was written last, in epoch milliseconds. */
  lastSyncAt: number | null;
  /** Until when HubSpot has to be left alone, in epoch milliseconds; null when it has not. */
  pausedUntil: number | null;
  /** Why, in words. */
  pauseReason: string | null;
  /** Why a new consent is needed, in HubSpot's words; null in every other state. */
  reconnectReason: string | null;
  /** Whether this workspace ever had a call. */
  webhookSeen: boolean;
  /** Whether the token that asks may change anything; false for one that may only look. */
  canChange: boolean;
  counts: Counts;
}

/** Calls by status. */
export interface Counts {
  /** Waiting now, at most 10,000. */
  pending: number;
  /** Came in within the last 24 hours, and are in HubSpot. */
  success: number;
  /** Came in within the last 24 hours, and failed. */
  error: number;
  /** Came in within the last 24 hours, and were left out. */
  skipped: number;
}

/** One thing that somebody did. */
export interface DeedShown {
  /** When, in epoch milliseconds. */
  at: number;
  /** The workspace's user, or an operator of this service. */
  actor: Actor;
  action: Action;
  /** From which network address; null at the command line. */
  address: string | null;
  /** Ids, names of settings, counts. */
  details: Record<string, unknown>;
}

/** The last 50 deliveries that matter, newest first, and one line for each ignored event. */
export interface DeliveriesShown {
  /** Always true; errors have false. */
  success: true;
  /** By their times. */
  deliveries: Array<DeliveryShown>;
}

/** Deliveries within the last 24 hours. */
export interface DeliveryCounts {
  /** Those about calls. */
  received: number;
  /** Genuine, and of no interest. */
  ignored: number;
  /** Genuine, and not understood. */
  unreadable: number;
  /** Not genuine. */
  refused: number;
}

/** A delivery, or how many of an ignored event there were. */
export interface DeliveryShown {
  /** In epoch milliseconds. */
  at: number;
  /** The vendor's name; null where the delivery was not read. */
  event: string | null;
  result: Result;
  /** The vendor's name, a colon, and its id of the call. */
  call_id: string | null;
  /** The call's entry in the sync log. */
  log_id: string | null;
  /** Names of the fields that it brought. */
  fields: Array<string>;
  /** What was wrong with it or left out, in words. */
  message: string | null;
  /** 1; of ignored events how many came within 24 hours. */
  count: number;
}

/** `INBOUND`: the customer called. `OUTBOUND`: the customer was called. */
export type Direction = "inbound" | "outbound";

/** The connection has ended; HubSpot learns of it in the background. */
export interface Disconnected {
  /** Always true; errors have false. */
  success: true;
  /** For people. */
  message: "HubSpot disconnected successfully";
}

/** Why a call is not in HubSpot; the sync log's codes. */
export type ErrorCode = "contact_not_found" | "ambiguous_contact" | "no_phone_number" | "invalid_phone_number" | "unknown_direction" | "held" | "filtered" | "not_connected" | "reconnect_required" | "missing_scopes" | "rejected_by_hubspot" | "rate_limited" | "hubspot_unavailable" | "network_error" | "unconfirmed" | "configuration_error" | "poison" | "payload_expired";

/** One wrong field of a request. */
export interface FieldProblem {
  /** Its path, such as `data.call_id`; `body` or a parameter's name otherwise. */
  field: string;
  /** What would be right. */
  message: string;
}

/** What was left out of a call, cut or guessed. */
export interface IntakeWarning {
  /** The call's field, such as `duration_seconds`. */
  field: string;
  /** What was done, as it goes on from the field's name; never what the field held. */
  message: string;
}

/** What of a call is to be stored; null goes back to the default. */
export interface KeepChange {
  /** Whether what was said word by word is kept. */
  transcript?: boolean | null;
  /** Whether the link to the recording is kept. */
  recording?: boolean | null;
}

/** What of a call is stored. */
export interface Kept {
  /** Whether what was said word by word is kept. */
  transcript: boolean;
  /** Whether the link to the recording is kept. */
  recording: boolean;
}

/** One try of the call. */
export interface LogAttempt {
  /** Whether the note was to be written, or to be completed by what has come in since. */
  kind: "create" | "update";
  /** In epoch milliseconds. */
  started_at: number;
  /** How long it took, the calls tried beside it included. */
  duration_ms: number;
  /** The status that it left the call in, or its update. */
  outcome: string;
  error_code: ErrorCode | null;
  /** The reason in words; deleted together with the call's contents. */
  message: string | null;
  /** What HubSpot answered with. */
  http_status: number | null;
  /** What HubSpot's support asks for. */
  correlation_id: string | null;
}

/** What a voice platform sent of the call, without its contents. */
export interface LogDelivery {
  /** When it came in, in epoch milliseconds. */
  at: number;
  /** The producer's word for what had happened. */
  event: string;
  /** Names of the fields that it brought; of the first one those that nothing has replaced. */
  fields: Array<string>;
  /** Names of the fields that must not be kept, it said. */
  withdrawn: Array<string>;
}

/** One entry with all that is known of it. */
export interface LogDetail {
  /** Always true; errors have false. */
  success: true;
  log: LogEntry;
  /** Newest first, at most 200. */
  attempts: Array<LogAttempt>;
  /** What came in of the call: newest first, the last 20; empty once its contents are deleted. */
  deliveries: Array<LogDelivery>;
  /** The contact's page in HubSpot. */
  contact_url: string | null;
  /** What of the first delivery was left out, cut or guessed; empty if nothing was. */
  warnings: Array<IntakeWarning>;
  /** Null once the call's contents are deleted. */
  note: LogNote | null;
}

/** What became of one call. */
export interface LogEntry {
  /** When the call came in, in epoch milliseconds. */
  created_at: number;
  /** The producer's id. */
  call_id: string;
  /** The caller's number, in full once it was read; null when withheld or erased. */
  phone_number: string | null;
  status: Status;
  error_code: ErrorCode | null;
  /** The reason in words. */
  error_message: string | null;
  /** The HubSpot contact with the caller's number. */
  contact_id: string | null;
  /** The note in HubSpot. */
  engagement_id: string | null;
  /** How often it was tried; what is written again because the call has grown does not count. */
  attempts: number;
  /** When it is tried or looked up again, in epoch milliseconds; null when it is not. */
  next_attempt_at: number | null;
  /** When the entry changed last, in epoch milliseconds. */
  updated_at: number;
  /** The entry's own id. */
  id: string;
  /**
   * How many deliveries have changed the call, the first included; null once its contents are
   * deleted.
   */
  revision: number | null;
  /** Which of these the note shows; null while there is none, or if that is not known. */
  written_revision: number | null;
  /**
   * What becomes of the note since the call has grown: it is `waiting` to be completed, that has
   * `failed`, or somebody `deleted` it in HubSpot. Null if nothing is to be written.
   */
  update: "waiting" | "failed" | "deleted" | null;
  /**
   * Why the note is not completed, in words. While `update` is `waiting` it waits for a retry
   * by hand, else it is null then.
   */
  update_error: string | null;
  /** What the call becomes in HubSpot. */
  activity: "note" | "call";
  /** Where it came from; null if it came in by `/api/webhooks/call-ended` or an import. */
  source: LogSource | null;
  /** What was left out of the note and why, in sentences. */
  notices: Array<string>;
}

/** The note, from the call as it is stored. */
export interface LogNote {
  /** What stands on the contact's timeline, or would. */
  html: string;
  /** Whether it is in HubSpot. */
  written: boolean;
}

/** Entries, newest first. */
export interface LogPage {
  /** Always true; errors have false. */
  success: true;
  /** At most `limit`. */
  logs: Array<LogEntry>;
  /** How many entries match, counted up to 10,000. */
  total: number;
  /** False when there are more than `total`. */
  total_exact: boolean;
  /** How many were asked for. */
  limit: number;
  /** How many newer ones were left out. */
  offset: number;
  /** Asks for the next page; null on the last one. */
  next_cursor: string | null;
}

/** Where a call came from. */
export interface LogSource {
  /** Whose phones they are, such as `generic`. */
  vendor: string;
  /** What the source is called in the dashboard. */
  name: string;
}

/** Which of several contacts with the number gets the note: the one that changed last, the oldest one, or none of them. */
export type MatchPolicy = "most_recent" | "oldest" | "skip";

/** A source that is to be added. */
export interface NewSource {
  /** One of those that `getCallSources` lists. */
  vendor: string;
  /** For people; the vendor's name if left out. */
  name?: string | null;
  /**
   * As a text of the vendor's default scheme. Some vendors show it only once they have the
   * address: it may be added later.
   */
  secret?: string | SecretGiven | null;
  /** As the vendor's `options` describe them. */
  options?: Record<string, unknown> | null;
  /** Whether calls are to wait from the beginning. */
  paused?: boolean;
}

/** Whose number the test call comes from. */
export interface OrderedTestCall {
  /** In any spelling. */
  phone_number: string;
}

/** Contact properties that hold numbers besides phone and mobile phone, by HubSpot's internal names; at most 3. A name that HubSpot does not know is left out of searches, and named in `warnings` once it was. */
export type PhoneProperties = Array<string>;

/** What would become of a call with this number. */
export interface Preview {
  /** Always true; errors have false. */
  success: true;
  /** The number in full; null when it cannot be read. */
  phone_number: string | null;
  /** Where it was read, unless it names its country. */
  region: string;
  /** Who has the number, in the order in which the match policy chooses; at most 10. */
  contacts: Array<PreviewedContact>;
  /** Who would get the note. */
  contact_id: string | null;
  status: Status;
  error_code: ErrorCode | null;
  /** Why nobody would get it, in words. */
  message: string | null;
  /** What the call would wait for before it is looked up, in words; null when it would not. */
  waits: string | null;
  /** The note. */
  note_html: string;
  /** What of the settings could not be used; absent where all was. */
  warnings?: Array<SettingWarning>;
}

/** The number to look up, and the call whose note is wanted. */
export interface PreviewOrder {
  /** Whom to look up, in any spelling. */
  phone_number: string;
  /** What the note would be written from, and what rules look at. */
  call?: CallContent;
  /** Settings to be tried out, as if they had been saved; nothing is stored. */
  settings?: SettingsChange | null;
}

/** A contact that has the number. */
export interface PreviewedContact {
  /** HubSpot's. */
  id: string;
  /** First and last name, else the mail address, else the id. */
  name: string;
  /** As it is in HubSpot. */
  email: string | null;
  /** As it is in HubSpot; the first of its numbers, in the order in which they are read. */
  phone: string | null;
  /** The contact's page in HubSpot. */
  url: string;
}

/** Requests can be served. */
export interface Ready {
  /** Always true; errors have false. */
  success: true;
  /** Always ok, else the status is 503. */
  postgres: "ok";
  /** The database's migration. */
  schema_revision: string;
  /** Degraded: nothing is lost, calls are synced later. */
  redis: "ok" | "degraded";
}

/** Why a delivery was not taken. */
export interface RefusalShown {
  /** In a word. */
  code: string;
  /** In words, with what to check. */
  message: string;
}

/** What a retry did. */
export interface Requeued {
  /** Always true; errors have false. */
  success: true;
  /** Calls that are pending again, and synced ones that are to be completed after all. */
  requeued: number;
  /**
   * Calls that wait already, are synced with nothing left to write, have lost their contents, or
   * are not there.
   */
  ignored: number;
}

/** What became of a delivery. */
export type Result = "stored" | "duplicate" | "updated" | "ignored" | "unreadable" | "refused";

/** Which calls to try again: these ids, or all that a filter matches. */
export interface RetryOrder {
  /** Calls that came in at this time or later: epoch milliseconds or RFC 3339. */
  from?: number | string | null;
  /** Calls that came in before this time: epoch milliseconds or RFC 3339. */
  to?: number | string | null;
  /** These entries, and no filter. */
  ids?: Array<string> | null;
  /**
   * Calls in this state: `error` or `skipped`; `success` only with `update`. Left out, both, and
   * updates that failed or wait for a person.
   */
  status?: Status | null;
  /** Calls with this reason. */
  error_code?: ErrorCode | null;
  /** Synced calls whose update `failed`, or is `waiting` for a person. */
  update?: "waiting" | "failed" | "deleted" | null;
}

/** Rules to change; null goes back to the default of one, what is absent stays. */
export interface RulesChange {
  /** Calls that were shorter are left out. */
  min_duration_seconds?: number | null;
  /** Calls in other directions are left out. */
  directions?: Array<Direction> | null;
  /** Calls that ended so are left out; `No answer` and `no_answer` are the same. */
  skip_outcomes?: Array<string> | null;
  /** Calls with these numbers of customers are left out. */
  blocked_numbers?: Array<string> | null;
  /** Calls over these numbers of your own are left out. */
  skip_lines?: Array<string> | null;
  /** Calls without a summary are left out. */
  require_summary?: boolean | null;
}

/** A way in which a vendor proves that a delivery is its own. */
export interface SchemeShown {
  /** What `scheme` says of a secret. */
  name: string;
  /** For people. */
  title: string;
  /** What to paste, and where the vendor shows it. */
  hint: string;
}

/** A secret with the way in which the vendor proves that it knows it. */
export interface SecretGiven {
  /** As the vendor shows it. */
  value: string;
  /** The vendor's default if left out. */
  scheme?: string | null;
}

/** A secret; its value is never shown. */
export interface SecretShown {
  /** By which it is removed. */
  id: string;
  /** How the vendor proves that it knows it. */
  scheme: string;
  /** In epoch milliseconds. */
  added_at: number;
  /** When it proved a delivery last. */
  last_used_at: number | null;
}

/** The test call is stored like any other. */
export interface SentTestCall {
  /** Always true; errors have false. */
  success: true;
  /** Its entry in the sync log, where it can be followed. */
  id: string;
  /** Begins with `test_`. */
  call_id: string;
}

/** A setting that is stored but cannot be used as it is. */
export interface SettingWarning {
  /** The setting. */
  field: string;
  /** What is wrong and how to mend it. */
  message: string;
}

/**
 * New values; null goes back to the service's default, what is absent stays.
 *
 * `keep` and `rules` change by key; lists are replaced as a whole.
 */
export interface SettingsChange {
  /** Your own phone numbers, which are never the customer's. */
  own_numbers?: Array<string> | null;
  activity?: Activity | null;
  write_when?: WriteWhen | null;
  /** What of a call is stored; what is off is dropped when it arrives. */
  keep?: KeepChange | null;
  /** Which calls are left out: they end as skipped with the reason `filtered`. */
  rules?: RulesChange | null;
  /** The two-letter region of numbers without a country code. */
  default_region?: string | null;
  match_policy?: MatchPolicy | null;
  phone_properties?: PhoneProperties | null;
}

/** The source as it is now. */
export interface SourceAnswer {
  /** Always true; errors have false. */
  success: true;
  source: SourceShown;
}

/** What is to change; what is absent stays. */
export interface SourceChange {
  /** For people. */
  name?: string | null;
  /** All of them anew; null for none. */
  options?: Record<string, unknown> | null;
  /** Up to three are good at a time. */
  add_secret?: string | SecretGiven | null;
  /** Its id. */
  remove_secret?: string | null;
  /** Whether calls wait from now on. */
  paused?: boolean | null;
  /** What becomes of calls that have waited; they go on waiting if left out. */
  held?: "write" | "drop" | null;
}

/** The source is gone; its calls stay. */
export interface SourceRemoved {
  /** Always true; errors have false. */
  success: true;
}

/** A call source. */
export interface SourceShown {
  /** Stands in its address; never given again. */
  id: string;
  /** Whose deliveries it takes. */
  vendor: string;
  /** For people. */
  name: string;
  /** What the vendor is told to call. */
  url: string;
  state: State;
  /** Any of which proves a delivery; without their values. */
  secrets: Array<SecretShown>;
  /** As they were given, without secrets. */
  options: Record<string, unknown>;
  /** In epoch milliseconds. */
  created_at: number;
  /** When a call was delivered last. */
  last_received_at: number | null;
  /** When a delivery was refused last that looked like the vendor's. */
  last_refused_at: number | null;
  /** Why that was. */
  last_refusal: RefusalShown | null;
  counts: DeliveryCounts;
  /** Whether calls wait as skipped, until somebody says whether to write them. */
  paused: boolean;
  /** How many calls wait so. */
  held: number;
  /** Of a platform's source: how many calls wait until somebody says whose they are. */
  unassigned: number;
  /** Whose it is; null for a platform's source. */
  user_id: string | null;
  /** See `user_id`. */
  workspace_id: string | null;
}

/** The call sources, and the vendors of which there may be more. */
export interface SourcesShown {
  /** Always true; errors have false. */
  success: true;
  /** The oldest first. */
  sources: Array<SourceShown>;
  /** In the order in which they are offered; none for who may not add a source. */
  vendors: Array<VendorShown>;
  /** Whether whoever asks may change anything about sources. */
  self_service: boolean;
}

/** How a source is. */
export type State = "needs_secret" | "waiting" | "receiving" | "refusing" | "paused";

/** Every step of a period, oldest first, also those without calls. */
export interface Statistics {
  /** Always true; errors have false. */
  success: true;
  bucket: Step;
  /** Where the first step begins, in epoch milliseconds. */
  from: number;
  /** Where the last step ends, in epoch milliseconds; it may lie ahead. */
  to: number;
  /** At most 400. */
  points: Array<StatisticsPoint>;
}

/** The calls that came in within one step of time, by how they ended. */
export interface StatisticsPoint {
  /** Where the step begins, in epoch milliseconds. */
  at: number;
  /** Still waiting, at most 10,000. */
  pending: number;
  /** In HubSpot. */
  success: number;
  /** Failed. */
  error: number;
  /** Left out. */
  skipped: number;
  /** Half of those in HubSpot took less, from the webhook to the note; at most 10 % off. */
  latency_p50_ms: number | null;
  /** As above, for 95 of 100. */
  latency_p95_ms: number | null;
}

/** What a person sees of a call. */
export type Status = "pending" | "success" | "error" | "skipped";

/** How a period is cut. */
export type Step = "hour" | "day";

/** What one side said. */
export interface TranscriptTurn {
  /** Who: `assistant` or `user`, or a name. */
  role: string;
  /** What. */
  text: string;
}

/** Calls that wait until the table of tenants has one of these keys. */
export interface UnassignedShown {
  /** The most specific first; none if the calls name nothing that a table can have. */
  keys: Array<string>;
  /** How many. */
  calls: number;
  /** When the oldest came. */
  since: number;
}

/** A vendor whose calls can be received. */
export interface VendorShown {
  /** Its name in addresses. */
  vendor: string;
  /** For people. */
  title: string;
  /** Whether deliveries can be taken without one. */
  secret: "required" | "optional";
  /** The default one first. */
  schemes: Array<SchemeShown>;
  /** What to click at the vendor's, in order; `{url}` stands for the source's address. */
  steps: Array<string>;
  /** What people get wrong, or cannot know. */
  caveats: Array<string>;
  /** JSON Schema of the source's options. */
  options: Record<string, unknown>;
}

/** `ended`: at once, and completed as more is known. `complete`: once summary and recording are there, the producer says that nothing more comes, or 15 minutes have passed since we heard of the end; written once, and what comes later is kept back until a retry by hand. */
export type WriteWhen = "ended" | "complete";

export interface InitiateHubSpotOAuthQuery {
  /** Where the browser returns to, within the allowed origins; the configured page if left out. */
  returnTo?: string | null | undefined;
}

export interface GetCallSourcesQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface AddCallSourceQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface UpdateCallSourceQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface RemoveCallSourceQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface GetCallSourceDeliveriesQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface GetUnassignedCallsQuery {
  /** With `workspace_id`. Other tokens see their own sources, whatever is asked. */
  user_id?: string | null | undefined;
  /** See `user_id`. */
  workspace_id?: string | null | undefined;
}

export interface GetHubSpotSyncLogsQuery {
  /** Calls that came in at this time or later: epoch milliseconds or RFC 3339. */
  from?: number | string | null | undefined;
  /** Calls that came in before this time: epoch milliseconds or RFC 3339. */
  to?: number | string | null | undefined;
  /** Calls in this state. */
  status?: Status | null | undefined;
  /** Calls with this reason. */
  error_code?: ErrorCode | null | undefined;
  /** Calls whose note does not show what has come in since. */
  update?: "waiting" | "failed" | "deleted" | null | undefined;
  /** The call with this id of the producer's. */
  call_id?: string | null | undefined;
  /** Calls of this number, in any spelling. */
  phone?: string | null | undefined;
  /** These entries, separated by commas, and nothing else; up to 200. */
  ids?: Array<string> | null | undefined;
  /** How many entries. */
  limit?: number | null | undefined;
  /** How many newer ones to leave out; not together with `cursor`, which has no limit. */
  offset?: number | null | undefined;
  /** The `next_cursor` of the page before. */
  cursor?: string | null | undefined;
}

export interface ExportSyncLogsQuery {
  /** Calls that came in at this time or later: epoch milliseconds or RFC 3339. */
  from?: number | string | null | undefined;
  /** Calls that came in before this time: epoch milliseconds or RFC 3339. */
  to?: number | string | null | undefined;
  /** Calls in this state. */
  status?: Status | null | undefined;
  /** Calls with this reason. */
  error_code?: ErrorCode | null | undefined;
  /** Calls whose note does not show what has come in since. */
  update?: "waiting" | "failed" | "deleted" | null | undefined;
  /** The call with this id of the producer's. */
  call_id?: string | null | undefined;
  /** Calls of this number, in any spelling. */
  phone?: string | null | undefined;
}

export interface GetStatisticsQuery {
  /** Calls that came in at this time or later: epoch milliseconds or RFC 3339. */
  from?: number | string | null | undefined;
  /** Calls that came in before this time: epoch milliseconds or RFC 3339. */
  to?: number | string | null | undefined;
  /** By hour or by day; at most 400 of them. */
  bucket?: Step | null | undefined;
  /** Whose hours and days are meant, by its IANA name: `Europe/Berlin`, say. */
  time_zone?: string | null | undefined;
}

export interface GetAuditTrailQuery {
  /** How many entries. */
  limit?: number | null | undefined;
  /** The `next_cursor` of the page before. */
  cursor?: string | null | undefined;
}

/** What each method may be rejected with. */
export interface ClientErrors {
  initiateHubSpotOAuth: BadRequestError | UnauthorizedError | ForbiddenError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getHubSpotStatus: UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  disconnectHubSpot: UnauthorizedError | ForbiddenError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getSettings: UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  updateSettings: BadRequestError | UnauthorizedError | ForbiddenError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getCallSources: BadRequestError | UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  addCallSource: BadRequestError | UnauthorizedError | ForbiddenError | ConflictError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  updateCallSource: BadRequestError | UnauthorizedError | ForbiddenError | NotFoundError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  removeCallSource: BadRequestError | UnauthorizedError | ForbiddenError | NotFoundError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getCallSourceDeliveries: BadRequestError | UnauthorizedError | NotFoundError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getUnassignedCalls: BadRequestError | UnauthorizedError | NotFoundError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getHubSpotSyncLogs: BadRequestError | UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getSyncLog: UnauthorizedError | NotFoundError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  retrySyncLog: UnauthorizedError | ForbiddenError | NotFoundError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  retrySyncLogs: BadRequestError | UnauthorizedError | ForbiddenError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  exportSyncLogs: BadRequestError | UnauthorizedError | ForbiddenError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getStatistics: BadRequestError | UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  sendTestCall: BadRequestError | UnauthorizedError | ForbiddenError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  preview: BadRequestError | UnauthorizedError | ForbiddenError | ConflictError | TooLargeError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getAuditTrail: BadRequestError | UnauthorizedError | RateLimitedError | UnavailableError | ApiError | NetworkError;
  getHealth: ApiError | NetworkError;
  getReadiness: UnavailableError | ApiError | NetworkError;
  getMetrics: ApiError | NetworkError;
  getOpenApi: ApiError | NetworkError;
}

export declare class HubSpotCallSyncClient {
  constructor(options?: ClientOptions);

  /**
   * GET /api/hubspot/oauth/initiate
   *
   * Start connecting.
   */
  initiateHubSpotOAuth(query?: InitiateHubSpotOAuthQuery, request?: RequestOptions): Promise<AuthorizationStarted>;
  /**
   * GET /api/hubspot/status
   *
   * The state of the connection, and counts of calls.
   */
  getHubSpotStatus(request?: RequestOptions): Promise<ConnectionStatus>;
  /**
   * DELETE /api/hubspot/disconnect
   *
   * Disconnect.
   */
  disconnectHubSpot(request?: RequestOptions): Promise<Disconnected>;
  /**
   * GET /api/hubspot/settings
   *
   * How phone numbers are read and matched, which calls are written, when, and with what.
   */
  getSettings(request?: RequestOptions): Promise<ConnectionSettings>;
  /**
   * PATCH /api/hubspot/settings
   *
   * Change some settings.
   */
  updateSettings(body: SettingsChange, request?: RequestOptions): Promise<ConnectionSettings>;
  /**
   * GET /api/call-sources
   *
   * The call sources, and the vendors of which there may be more.
   */
  getCallSources(query?: GetCallSourcesQuery, request?: RequestOptions): Promise<SourcesShown>;
  /**
   * POST /api/call-sources
   *
   * Add a call source.
   */
  addCallSource(body: NewSource, query?: AddCallSourceQuery, request?: RequestOptions): Promise<SourceAnswer>;
  /**
   * PATCH /api/call-sources/{source_id}
   *
   * Change a call source: name, options, secrets, pause.
   */
  updateCallSource(id: string, body: SourceChange, query?: UpdateCallSourceQuery, request?: RequestOptions): Promise<SourceAnswer>;
  /**
   * DELETE /api/call-sources/{source_id}
   *
   * Remove a call source.
   */
  removeCallSource(id: string, query?: RemoveCallSourceQuery, request?: RequestOptions): Promise<SourceRemoved>;
  /**
   * GET /api/call-sources/{source_id}/deliveries
   *
   * The last deliveries of a call source.
   */
  getCallSourceDeliveries(id: string, query?: GetCallSourceDeliveriesQuery, request?: RequestOptions): Promise<DeliveriesShown>;
  /**
   * GET /api/call-sources/{source_id}/unassigned
   *
   * Calls of a platform's source of which nobody knows yet whose they are.
   */
  getUnassignedCalls(id: string, query?: GetUnassignedCallsQuery, request?: RequestOptions): Promise<AllUnassigned>;
  /**
   * GET /api/hubspot/sync-logs
   *
   * What became of calls, newest first.
   */
  getHubSpotSyncLogs(query?: GetHubSpotSyncLogsQuery, request?: RequestOptions): Promise<LogPage>;
  /**
   * GET /api/hubspot/sync-logs/{log_id}
   *
   * One entry with what came in of the call, its attempts and its note.
   */
  getSyncLog(id: string, request?: RequestOptions): Promise<LogDetail>;
  /**
   * POST /api/hubspot/sync-logs/{log_id}/retry
   *
   * Try one failed or skipped call again.
   */
  retrySyncLog(id: string, request?: RequestOptions): Promise<Requeued>;
  /**
   * POST /api/hubspot/sync-logs/retry
   *
   * Try failed or skipped calls again, and updates of notes that failed or were held back.
   */
  retrySyncLogs(body: RetryOrder, request?: RequestOptions): Promise<Requeued>;
  /**
   * GET /api/hubspot/sync-logs/export
   *
   * The sync log as CSV, newest first.
   */
  exportSyncLogs(query?: ExportSyncLogsQuery, request?: RequestOptions): Promise<SyncLogExport>;
  /**
   * GET /api/hubspot/statistics
   *
   * How calls ended over time, and how long they took.
   */
  getStatistics(query?: GetStatisticsQuery, request?: RequestOptions): Promise<Statistics>;
  /**
   * POST /api/hubspot/test-call
   *
   * Send a test call.
   */
  sendTestCall(body: OrderedTestCall, request?: RequestOptions): Promise<SentTestCall>;
  /**
   * POST /api/hubspot/preview
   *
   * Which contact a number would match, and how the note would look.
   */
  preview(body: PreviewOrder, request?: RequestOptions): Promise<Preview>;
  /**
   * GET /api/hubspot/audit
   *
   * Who did what, newest first.
   */
  getAuditTrail(query?: GetAuditTrailQuery, request?: RequestOptions): Promise<AuditPage>;
  /**
   * GET /healthz
   *
   * Whether the process lives.
   */
  getHealth(request?: RequestOptions): Promise<Alive>;
  /**
   * GET /readyz
   *
   * Whether requests can be served.
   */
  getReadiness(request?: RequestOptions): Promise<Ready>;
  /**
   * GET /metrics
   *
   * Prometheus metrics.
   */
  getMetrics(request?: RequestOptions): Promise<string>;
  /**
   * GET /openapi.json
   *
   * This document.
   */
  getOpenApi(request?: RequestOptions): Promise<Record<string, unknown>>;
}

-- Asks for a new link by a new spec.requestID.
local os = require("os")
local annotations = obj.metadata.annotations or {}

-- As in discovery.lua: a value that Git sets would be put back, and that again is a request with an e-mail of its own.
local function is_declared()
  local id = obj.spec.requestID or obj.spec.requestId
  if id == nil then
    return false
  end
  if annotations["onetimeshare.dev/new-link"] ~= id then
    return true
  end
  for _, entry in ipairs(obj.metadata.managedFields or {}) do
    local fields = (entry.fieldsV1 or {})["f:spec"] or {}
    if entry.operation == "Apply" and (fields["f:requestID"] ~= nil or fields["f:requestId"] ~= nil) then
      return true
    end
  end
  return false
end

local function is_answered()
  if obj.spec.suspend or obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
    return false
  end
  local cured = {Uncertain = true, LedgerLost = true, LedgerMismatch = true}
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Ready" then
      return condition.status == "True" or (condition.status == "False" and cured[condition.reason] == true)
    end
  end
  return false
end

if is_declared() then
  error("spec.requestID is set elsewhere, most likely in Git: set a new value there", 0)
end
if not is_answered() then
  error("there is no answer yet to the present request: see the conditions of the share", 0)
end

-- Two clicks in one second are one request.
local id = "argocd-" .. os.date("!%Y-%m-%dT%H:%M:%SZ")
annotations["onetimeshare.dev/new-link"] = id
obj.metadata.annotations = annotations
obj.spec.requestID = id
-- Its old name: the two together are refused.
obj.spec.requestId = nil
return obj

-- Which actions make sense now. Argo CD only greys out the others: each action checks for itself too, because the
-- command line runs what it is told.
local status = obj.status or {}
local annotations = obj.metadata.annotations or {}

-- Whether spec.requestID (or requestId, its old name) comes from somebody else than the action: from Git, most likely. The string library is not
-- there, so that the last-applied-configuration cannot be read; the action marks its own values instead.
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

-- Whether there is or was a link for the present spec, or a person has to ask for another one.
local function is_answered()
  if obj.spec.suspend or status.observedGeneration ~= obj.metadata.generation then
    return false
  end
  local cured = {Uncertain = true, LedgerLost = true, LedgerMismatch = true}
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == "Ready" then
      return condition.status == "True" or (condition.status == "False" and cured[condition.reason] == true)
    end
  end
  return false
end

local lives = status.state == "Shared" and status.attempt ~= nil
local asked = annotations["onetimeshare.dev/burn"] == status.attempt

return {
  ["new-link"] = {
    disabled = is_declared() or not is_answered(),
    displayName = "New link (e-mails again)",
    iconClass = "fa fa-fw fa-link",
  },
  ["burn"] = {
    disabled = not lives or asked,
    displayName = "Burn link",
    iconClass = "fa fa-fw fa-fire",
  },
}

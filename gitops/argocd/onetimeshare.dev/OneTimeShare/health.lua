-- The health of a share, from its conditions. The message is made of theirs: they never hold the link or a key.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(name, value)
  return conditions[name] ~= nil and conditions[name].status == value
end

-- What the conditions say of an earlier spec says nothing of this one.
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "waiting for the operator"}
end

if is("Stalled", "True") then
  return {status = "Degraded", message = conditions.Stalled.message}
end

-- Stays so when the link is received, burned or expired: what was asked for was done.
if is("Ready", "True") then
  local message = status.state
  if conditions.Received ~= nil then
    message = message .. ": " .. conditions.Received.message
  end
  if is("EmailRequested", "False") then
    message = message .. "; " .. conditions.EmailRequested.message
  end
  return {status = "Healthy", message = message}
end

local message = "waiting for the operator"
if conditions.Ready ~= nil then
  message = conditions.Ready.message
end
if obj.spec.suspend then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}

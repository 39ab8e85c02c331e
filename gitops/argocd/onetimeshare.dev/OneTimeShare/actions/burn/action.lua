-- Asks the operator to burn the link that the status shows, and no other: the annotation names it by its attempt, which
-- is opaque. Nothing is sent again.
local status = obj.status or {}
if status.state ~= "Shared" or status.attempt == nil then
  error("there is no link that can still be opened", 0)
end
local annotations = obj.metadata.annotations or {}
if annotations["onetimeshare.dev/burn"] == status.attempt then
  error("the operator has been asked already", 0)
end
annotations["onetimeshare.dev/burn"] = status.attempt
obj.metadata.annotations = annotations
return obj

package main

// The interpreter as Argo CD sets it up for scripts of argocd-cm: the libraries package, base and table, of os only
// date and time and only for those who require it, one second, and the object as a global. There is no string library.

import (
	"context"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// evaluate runs a script and returns, as JSON, the table that it returns.
func evaluate(script string, object map[string]any) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		call := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, fmt.Errorf("opening %s: %w", library.name, err)
		}
	}
	state.PreloadModule(lua.OsLibName, clock)

	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", inLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	result, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return nil, fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	return luajson.Encode(result)
}

// clock is what Argo CD leaves of the library os.
func clock(state *lua.LState) int {
	lua.OpenOs(state)
	whole := state.CheckTable(-1)
	state.SetGlobal(lua.OsLibName, lua.LNil)
	left := state.NewTable()
	for _, name := range []string{"date", "time"} {
		left.RawSetString(name, whole.RawGetString(name))
	}
	state.Push(left)
	return 1
}

func inLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case int64:
		return lua.LNumber(value)
	case []any:
		list := state.NewTable()
		for _, item := range value {
			list.Append(inLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, inLua(state, item))
		}
		return table
	}
	return luajson.DecodeValue(state, value)
}

"""Stock clients of others trade on the simulated exchange.

Called by tests/it/clients.rs: run.py CLIENT HTTP WS CONTROL KEY SECRET. A check that fails raises.
"""

import asyncio
import json
import sys
import urllib.request


def control(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def check(name, got, want):
    if got != want:
        raise SystemExit(f"{name}: got {got!r}, want {want!r}")
    print(f"ok  {name}")


def refused(name, call, code, words=None):
    """The call must raise an error that names the exchange's code, or its words where it drops it."""
    try:
        answer = call()
    except Exception as error:  # each client has its own kinds
        text = str(error)
        known = (f'"code":{code}', f"(code={code})", words)
        if any(part in text for part in known if part):
            print(f"ok  {name}: {code}")
            return
        raise SystemExit(f"{name}: refused with {text!r}, want {code}")
    raise SystemExit(f"{name}: not refused, got {answer!r}")


def repoint(urls, http, ws):
    for name, value in urls.items():
        if isinstance(value, dict):
            repoint(value, http, ws)
        elif value.startswith("https://"):
            urls[name] = http + "/" + value.split("/", 3)[3]
        elif value.startswith("wss://"):
            urls[name] = ws + "/" + value.split("/", 3)[3]


def ccxt_client(kind, http, ws, key, secret):
    options = {
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
    }
    client = kind({"apiKey": key, "secret": secret, "options": options})
    repoint(client.urls["api"], http, ws)
    return client


def run_ccxt(http, ws, base, key, secret):
    import ccxt

    client = ccxt_client(ccxt.binance, http, ws, key, secret)
    markets = client.load_markets()
    market = markets["BTC/USDT"]
    check("markets", sorted(markets), ["BTC/USDT", "ETH/USDT"])
    check("tick", market["precision"]["price"], 0.01)
    check("least cost", market["limits"]["cost"]["min"], 5.0)
    check("ticker", client.fetch_ticker("BTC/USDT")["last"], 50000.0)
    book = client.fetch_order_book("BTC/USDT", 5)
    check("book", (book["bids"][0][0], book["asks"][0][0]), (49999.99, 50000.01))
    check("candle", client.fetch_ohlcv("BTC/USDT", "1m")[-1][4], 50000.0)
    check("trade", client.fetch_trades("BTC/USDT")[-1]["price"], 50000.0)
    check("balance", client.fetch_balance()["USDT"]["free"], 100000.0)

    order = client.create_order("BTC/USDT", "limit", "buy", 0.001, 40000)
    check("placed", (order["status"], order["filled"]), ("open", 0.0))
    check("locked", client.fetch_balance()["USDT"]["used"], 40.0)
    check("open", [one["id"] for one in client.fetch_open_orders("BTC/USDT")], [order["id"]])
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "39999"})
    filled = client.fetch_order(order["id"], "BTC/USDT")
    check("filled", (filled["status"], filled["average"]), ("closed", 40000.0))
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50000"})
    trade = client.fetch_my_trades("BTC/USDT")[-1]
    check("fee", (trade["fee"]["cost"], trade["fee"]["currency"]), (0.000001, "BTC"))
    check("maker", trade["takerOrMaker"], "maker")

    order = client.create_order("BTC/USDT", "limit", "buy", 0.001, 40000)
    check("cancel", client.cancel_order(order["id"], "BTC/USDT")["status"], "canceled")
    check("cancelled", client.fetch_order(order["id"], "BTC/USDT")["status"], "canceled")
    bought = client.create_order("BTC/USDT", "market", "buy", 0.01)
    check("market buy", (bought["status"], bought["cost"]), ("closed", 500.0))
    spent = client.create_market_buy_order_with_cost("BTC/USDT", 100)
    check("market buy for quote", (spent["status"], spent["filled"]), ("closed", 0.002))
    sold = client.create_order("BTC/USDT", "market", "sell", 0.01)
    check("market sale", (sold["status"], sold["average"]), ("closed", 50000.0))
    states = [one["status"] for one in client.fetch_orders("BTC/USDT")]
    check("history", states, ["closed", "canceled", "closed", "closed", "closed"])
    edited = client.create_order("BTC/USDT", "limit", "buy", 0.001, 40000)
    edited = client.edit_order(edited["id"], "BTC/USDT", "limit", "buy", 0.001, 41000)
    check("replaced", (edited["status"], edited["price"]), ("open", 41000.0))
    client.cancel_all_orders("BTC/USDT")
    check("none open", client.fetch_open_orders("BTC/USDT"), [])

    place = client.create_order
    refused("cancel twice", lambda: client.cancel_order(order["id"], "BTC/USDT"), -2011)
    refused("no such order", lambda: client.fetch_order("987654", "BTC/USDT"), -2013)
    few = "insufficient balance"
    refused("poor", lambda: place("BTC/USDT", "limit", "buy", 100, 49999), -2010, few)
    refused("small", lambda: place("BTC/USDT", "limit", "buy", 0.0001, 40000), -1013)
    refused("far", lambda: place("BTC/USDT", "limit", "buy", 1, 10), -1013, "PERCENT_PRICE")
    maker = {"postOnly": True}
    refused("maker", lambda: place("BTC/USDT", "limit", "buy", 1, 50001, maker), -2010, "immediately match")
    run_ccxt_stops(client, base)
    late = {"stopLossPrice": 60000}
    trigger = "would trigger immediately"
    refused("stop", lambda: place("BTC/USDT", "market", "sell", 0.01, None, late), -2010, trigger)
    named = {"clientOrderId": "same"}
    place("BTC/USDT", "limit", "buy", 0.001, 40000, named)
    refused("twice", lambda: place("BTC/USDT", "limit", "buy", 0.001, 40000, named), -2010, "Duplicate")
    client.cancel_all_orders("BTC/USDT")
    wrong = ccxt_client(ccxt.binance, http, ws, key, "wrong")
    refused("wrong secret", wrong.fetch_balance, -1022)
    nobody = ccxt_client(ccxt.binance, http, ws, "nobody", secret)
    refused("unknown key", nobody.fetch_balance, -2015)


def run_ccxt_stops(client, base):
    """Stops by the client's own words; lists and amendments by the requests that it knows."""
    place = client.create_order
    stop = place("BTC/USDT", "limit", "sell", 0.01, 44000, {"stopLossPrice": 45000})
    stop = client.fetch_order(stop["id"], "BTC/USDT")
    check("stop limit", (stop["status"], stop["triggerPrice"]), ("open", 45000.0))
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "44500"})
    check("stop filled", client.fetch_order(stop["id"], "BTC/USDT")["status"], "closed")
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50000"})
    follows = {"trailingPercent": 1, "stopLossOrTakeProfit": "stopLoss"}
    trailing = place("BTC/USDT", "market", "sell", 0.01, None, follows)
    gone = client.cancel_order(trailing["id"], "BTC/USDT")
    check("trailing", (gone["status"], gone["info"]["trailingDelta"]), ("canceled", 100))

    oco = client.private_post_orderlist_oco({
        "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01",
        "aboveType": "LIMIT_MAKER", "abovePrice": "55000",
        "belowType": "STOP_LOSS", "belowStopPrice": "45000",
    })
    check("oco", [one["type"] for one in oco["orderReports"]], ["STOP_LOSS", "LIMIT_MAKER"])
    number = oco["orderListId"]
    check("list", client.private_get_orderlist({"orderListId": number})["contingencyType"], "OCO")
    check("open lists", len(client.private_get_openorderlist()), 1)
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "55001"})
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50000"})
    states = [client.fetch_order(one["orderId"], "BTC/USDT")["status"] for one in oco["orders"]]
    check("oco done", states, ["expired", "closed"])
    check("all lists", client.private_get_allorderlist()[-1]["listOrderStatus"], "ALL_DONE")

    order = place("BTC/USDT", "limit", "buy", 0.002, 40000)
    smaller = {"symbol": "BTCUSDT", "orderId": order["id"], "newQty": "0.001"}
    amended = client.request("order/amend/keepPriority", ["private"], "PUT", smaller)
    check("amended", amended["amendedOrder"]["qty"], "0.00100000")
    check("amended order", client.fetch_order(order["id"], "BTC/USDT")["amount"], 0.001)
    client.cancel_all_orders("BTC/USDT")


async def watch_ccxt(http, ws, base, key, secret):
    import ccxt.pro

    client = ccxt_client(ccxt.pro.binance, http, ws, key, secret)
    try:
        await client.load_markets()
        trades = asyncio.create_task(client.watch_trades("ETH/USDT"))
        orders = asyncio.create_task(client.watch_orders("ETH/USDT"))
        book = asyncio.create_task(client.watch_order_book("ETH/USDT"))
        await asyncio.sleep(1.5)
        control(base, "/tick", {"symbol": "ETHUSDT", "price": "2001"})
        check("watched trade", (await trades)[-1]["price"], 2001.0)
        book = await book
        check("watched book", book["bids"][0][0] < book["asks"][0][0], True)
        order = await client.create_order("ETH/USDT", "limit", "buy", 0.01, 1500)
        seen = await orders
        check("watched order", (seen[-1]["id"], seen[-1]["status"]), (order["id"], "open"))
        cancelled = asyncio.create_task(client.watch_orders("ETH/USDT"))
        await asyncio.sleep(0)
        await client.cancel_order(order["id"], "ETH/USDT")
        seen = (await cancelled)[-1]
        check("watched cancel", (seen["id"], seen["status"]), (order["id"], "canceled"))
        check(
            "watched client id",
            seen["clientOrderId"],
            order["clientOrderId"],
        )
    finally:
        await client.close()


def run_python_binance(http, ws, base, key, secret):
    from binance.client import Client

    Client.API_URL = http + "/api"
    client = Client(key, secret)
    check("ping", client.ping(), {})
    check("status", client.get_symbol_info("BTCUSDT")["status"], "TRADING")
    check("price", client.get_symbol_ticker(symbol="BTCUSDT")["price"], "50000.00000000")
    check("book", client.get_order_book(symbol="BTCUSDT")["bids"][0][0], "49999.99000000")
    check("candle", client.get_klines(symbol="BTCUSDT", interval="1m")[-1][4], "50000.00000000")
    before = float(client.get_asset_balance("BTC")["free"])

    order = client.order_limit_buy(symbol="BTCUSDT", quantity="0.001", price="40000")
    check("placed", order["status"], "NEW")
    open_orders = client.get_open_orders(symbol="BTCUSDT")
    check("open", [one["orderId"] for one in open_orders], [order["orderId"]])
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "39999"})
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50000"})
    order = client.get_order(symbol="BTCUSDT", orderId=order["orderId"])
    check("filled", (order["status"], order["cummulativeQuoteQty"]), ("FILLED", "40.00000000"))
    trade = client.get_my_trades(symbol="BTCUSDT")[-1]
    check("trade", (trade["isMaker"], trade["commissionAsset"]), (True, "BTC"))
    gained = float(client.get_asset_balance("BTC")["free"]) - before
    check("gained", round(gained, 8), 0.000999)

    waiting = client.order_limit_buy(symbol="BTCUSDT", quantity="0.001", price="40000")
    cancelled = client.cancel_order(symbol="BTCUSDT", orderId=waiting["orderId"])
    check("cancelled", cancelled["status"], "CANCELED")
    bought = client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
    check("bought", (bought["status"], bought["fills"][0]["commissionAsset"]), ("FILLED", "BTC"))
    sold = client.order_market_sell(symbol="BTCUSDT", quantity="0.01")
    check("sold", (sold["status"], sold["fills"][0]["commissionAsset"]), ("FILLED", "USDT"))
    check("tested", client.create_test_order(
        symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01"), {})
    check("fee", client.get_account()["commissionRates"]["taker"], "0.00100000")

    run_python_binance_lists(client, base)
    buy = client.order_limit_buy
    twice = {"symbol": "BTCUSDT", "orderId": waiting["orderId"]}
    refused("cancel twice", lambda: client.cancel_order(**twice), -2011)
    refused("no such order", lambda: client.get_order(symbol="BTCUSDT", orderId=987654), -2013)
    refused("symbol", lambda: buy(symbol="NOTHERE", quantity="1", price="1"), -1121)
    refused("poor", lambda: buy(symbol="BTCUSDT", quantity="100", price="49999"), -2010)
    refused("step", lambda: buy(symbol="BTCUSDT", quantity="0.000011", price="50000"), -1013)
    refused("digits", lambda: buy(symbol="BTCUSDT", quantity="0.000000001", price="1"), -1111)
    refused("exponent", lambda: buy(symbol="BTCUSDT", quantity="1e-5", price="50000"), -1100)
    wrong = Client(key, "wrong")
    refused("wrong secret", wrong.get_account, -1022)


def run_python_binance_lists(client, base):
    stop = client.create_order(
        symbol="BTCUSDT", side="SELL", type="STOP_LOSS_LIMIT", timeInForce="GTC",
        quantity="0.01", price="44000", stopPrice="45000", newOrderRespType="RESULT")
    check("stop limit", (stop["status"], stop["workingTime"]), ("NEW", -1))
    replaced = client.cancel_replace_order(
        symbol="BTCUSDT", side="SELL", type="TAKE_PROFIT_LIMIT", timeInForce="GTC",
        quantity="0.01", price="54000", stopPrice="55000", cancelOrderId=stop["orderId"],
        cancelReplaceMode="STOP_ON_FAILURE")
    check("cancelReplace", (replaced["cancelResult"], replaced["newOrderResult"]), ("SUCCESS",) * 2)
    failed = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01",
              "cancelOrderId": stop["orderId"], "cancelReplaceMode": "STOP_ON_FAILURE"}
    refused("cancelReplace", lambda: client.cancel_replace_order(**failed), -2022)
    oco = client.create_oco_order(
        symbol="BTCUSDT", side="SELL", quantity="0.01", aboveType="LIMIT_MAKER",
        abovePrice="56000", belowType="STOP_LOSS_LIMIT", belowStopPrice="45000",
        belowPrice="44000", belowTimeInForce="GTC")
    check("open lists", [one["orderListId"] for one in client.get_open_oco_orders()], [oco["orderListId"]])
    gone = client.v3_delete_order_list(symbol="BTCUSDT", orderListId=oco["orderListId"])
    check("list cancelled", [one["status"] for one in gone["orderReports"]], ["CANCELED"] * 2)
    chain = client.v3_post_order_list_otoco(
        symbol="BTCUSDT", workingType="LIMIT", workingSide="BUY", workingPrice="50000",
        workingQuantity="0.01", workingTimeInForce="GTC", pendingSide="SELL",
        pendingQuantity="0.005", pendingAboveType="LIMIT_MAKER", pendingAbovePrice="55000",
        pendingBelowType="STOP_LOSS", pendingBelowStopPrice="45000")
    states = [one["status"] for one in chain["orderReports"]]
    check("otoco", states, ["FILLED", "PENDING_NEW", "PENDING_NEW"])
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "45000"})
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50000"})
    ids = [one["orderId"] for one in chain["orders"]]
    states = [client.get_order(symbol="BTCUSDT", orderId=one)["status"] for one in ids]
    check("otoco done", states, ["FILLED", "FILLED", "EXPIRED"])
    check("all lists", len(client.v3_get_all_order_list()), 2)
    refused("relation", lambda: client.create_oco_order(
        symbol="BTCUSDT", side="SELL", quantity="0.01", aboveType="LIMIT_MAKER",
        abovePrice="49000", belowType="STOP_LOSS", belowStopPrice="45000"), -2010)


async def watch_python_binance(http, ws, base, key, secret):
    from binance import AsyncClient, BinanceSocketManager
    from binance.client import Client

    Client.API_URL = AsyncClient.API_URL = http + "/api"
    BinanceSocketManager.STREAM_URL = ws + "/"
    client = await AsyncClient.create(key, secret)
    try:
        manager = BinanceSocketManager(client)
        async with manager.trade_socket("ETHUSDT") as stream:
            control(base, "/tick", {"symbol": "ETHUSDT", "price": "2002"})
            check("socket trade", (await stream.recv())["p"], "2002.00000000")
    finally:
        await client.close_connection()


def official(http, ws, key, secret):
    from binance_common import configuration
    from binance_sdk_spot.spot import Spot

    return Spot(
        config_rest_api=configuration.ConfigurationRestAPI(key, secret, base_path=http, retries=0),
        config_ws_api=configuration.ConfigurationWebSocketAPI(
            key, secret, stream_url=ws + "/ws-api/v3"
        ),
        config_ws_streams=configuration.ConfigurationWebSocketStreams(stream_url=ws),
    )


def run_official(http, ws, base, key, secret):
    rest = official(http, ws, key, secret).rest_api
    info = rest.exchange_info().data()
    check("symbols", [one.symbol for one in info.symbols], ["BTCUSDT", "ETHUSDT"])
    check("book", rest.depth(symbol="BTCUSDT", limit=5).data().bids[0][0], "49999.99000000")
    order = rest.new_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.001, price=40000
    ).data()
    check("placed", (order.status, order.orig_qty), ("NEW", "0.00100000"))
    open_orders = rest.get_open_orders(symbol="BTCUSDT").data()
    check("open", [one.order_id for one in open_orders], [order.order_id])
    cancelled = rest.delete_order(symbol="BTCUSDT", order_id=order.order_id).data()
    check("cancelled", cancelled.status, "CANCELED")
    bought = rest.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01).data()
    check("bought", (bought.status, bought.fills[0].commission_asset), ("FILLED", "BTC"))
    check("trade", rest.my_trades(symbol="BTCUSDT").data()[-1].order_id, bought.order_id)
    balances = {one.asset: one.free for one in rest.get_account().data().balances}
    check("balance", balances["USDT"], "99500.00000000")
    twice = {"symbol": "BTCUSDT", "order_id": order.order_id}
    refused("cancel twice", lambda: rest.delete_order(**twice), -2011, "Unknown order sent.")
    poor = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": 100}
    refused("poor", lambda: rest.new_order(**poor), -2010, "insufficient balance")
    run_official_lists(rest)
    wrong = official(http, ws, key, "wrong").rest_api
    refused("wrong secret", wrong.get_account, -1022, "Signature for this request")


def run_official_lists(rest):
    stop = rest.new_order(
        symbol="BTCUSDT", side="SELL", type="STOP_LOSS_LIMIT", time_in_force="GTC",
        quantity=0.01, price=44000, stop_price=45000, new_order_resp_type="RESULT").data()
    check("stop limit", (stop.type, stop.working_time), ("STOP_LOSS_LIMIT", -1))
    order = rest.order_cancel_replace(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.002,
        price=40000, cancel_replace_mode="STOP_ON_FAILURE", cancel_order_id=stop.order_id).data()
    check("cancelReplace", order.new_order_result, "SUCCESS")
    number = order.new_order_response.order_id
    amended = rest.order_amend_keep_priority(symbol="BTCUSDT", new_qty=0.001, order_id=number)
    check("amended", amended.data().amended_order.qty, "0.00100000")
    rows = rest.order_amendments(symbol="BTCUSDT", order_id=number).data()
    check("amendments", [(one.orig_qty, one.new_qty) for one in rows], [("0.00200000", "0.00100000")])
    rest.delete_order(symbol="BTCUSDT", order_id=number)
    oco = rest.order_list_oco(
        symbol="BTCUSDT", side="SELL", quantity=0.01, above_type="TAKE_PROFIT",
        above_stop_price=55000, below_type="STOP_LOSS", below_stop_price=45000).data()
    check("oco", (oco.contingency_type, len(oco.order_reports)), ("OCO", 2))
    check("open lists", len(rest.open_order_list().data()), 1)
    found = rest.get_order_list(order_list_id=oco.order_list_id).data()
    check("list", found.list_client_order_id, oco.list_client_order_id)
    gone = rest.delete_order_list(symbol="BTCUSDT", order_list_id=oco.order_list_id).data()
    check("list cancelled", gone.list_order_status, "ALL_DONE")
    check("all lists", len(rest.all_order_list().data()), 1)


async def watch_official(http, ws, base, key, secret):
    client = official(http, ws, key, secret)
    streams = await client.websocket_streams.create_connection()
    trade = asyncio.get_running_loop().create_future()
    stream = await streams.trade(symbol="btcusdt")
    stream.on("message", lambda data: trade.done() or trade.set_result(data.p))
    await asyncio.sleep(0.5)
    control(base, "/tick", {"symbol": "BTCUSDT", "price": "50001"})
    check("stream", await trade, "50001.00000000")
    await streams.close_connection(close_session=True)

    api = await client.websocket_api.create_connection()
    placed = await api.order_place(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.001, price=40000
    )
    placed = placed.data().result
    check("frame placed", placed.status, "NEW")
    cancelled = await api.order_cancel(symbol="BTCUSDT", order_id=placed.order_id)
    check("frame cancelled", cancelled.data().result.status, "CANCELED")
    report = asyncio.get_running_loop().create_future()
    private = await api.user_data_stream_subscribe_signature()
    private.stream.on("message", lambda data: report.done() or report.set_result(data))
    client.rest_api.new_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.001, price=40000
    )
    report = (await report).actual_instance
    check("report", (type(report).__name__, report.x), ("ExecutionReport", "NEW"))
    await api.close_connection(close_session=True)


def main():
    name, http, ws, base, key, secret = sys.argv[1:]
    parts = (http, ws, base, key, secret)
    if name == "ccxt":
        run_ccxt(*parts)
        asyncio.run(asyncio.wait_for(watch_ccxt(*parts), 60))
    elif name == "python-binance":
        run_python_binance(*parts)
        asyncio.run(asyncio.wait_for(watch_python_binance(*parts), 60))
    elif name == "binance-sdk-spot":
        run_official(*parts)
        asyncio.run(asyncio.wait_for(watch_official(*parts), 60))
    else:
        raise SystemExit(f"no client called {name}")
    print("all is well")


main()

"""What the demo shop sells: tea, tea ware and things for the kitchen. Prices are in fen, a hundredth of a yuan."""

from dataclasses import dataclass

SHOP_NAME = "山野小铺"


@dataclass(frozen=True, slots=True)
class Choice:
    """One variant of a ware: the seller's own code for it, what the buyer picks, and the list price in fen."""

    code: str
    options: str
    price: int


@dataclass(frozen=True, slots=True)
class Ware:
    """One listing. ``weight`` says how often it is bought; in the months of ``season`` it is three times as often."""

    title: str
    weight: int
    choices: tuple[Choice, ...]
    season: tuple[int, ...] = ()


def _ware(title: str, weight: int, *choices: tuple[str, str, int], season: tuple[int, ...] = ()) -> Ware:
    return Ware(title, weight, tuple(Choice(*choice) for choice in choices), season)


WARES: tuple[Ware, ...] = (
    _ware(
        "【山野小铺】明前龙井茶叶绿茶手工炒制新茶罐装",
        9,
        ("TEA-LONGJING-50", "净含量：50克罐装", 12800),
        ("TEA-LONGJING-100", "净含量：100克罐装", 23800),
        ("TEA-LONGJING-250", "净含量：250克礼盒", 56800),
        season=(3, 4, 5),
    ),
    _ware(
        "【山野小铺】安吉白茶 雨前一级 山场直采",
        6,
        ("TEA-ANJI-50", "净含量：50克", 9800),
        ("TEA-ANJI-125", "净含量：125克", 21800),
        season=(4, 5),
    ),
    _ware(
        "【山野小铺】武夷岩茶肉桂乌龙茶 足火 独立泡袋",
        7,
        ("TEA-ROUGUI-8", "规格：8泡试喝装", 6900),
        ("TEA-ROUGUI-30", "规格：30泡盒装", 21900),
        season=(10, 11, 12),
    ),
    _ware(
        "【山野小铺】正山小种红茶 花果香 口粮茶",
        10,
        ("TEA-XIAOZHONG-100", "净含量：100克", 5800),
        ("TEA-XIAOZHONG-250", "净含量：250克", 12800),
        ("TEA-XIAOZHONG-500", "净含量：500克", 23800),
        season=(11, 12, 1),
    ),
    _ware(
        "【山野小铺】云南普洱熟茶饼357克 古树 2016年",
        5,
        ("TEA-PUER-357", "规格：一饼357克", 16800),
        ("TEA-PUER-TONG", "规格：一提七饼", 109900),
    ),
    _ware(
        "【山野小铺】福鼎老白茶寿眉饼 煮茶专用",
        4,
        ("TEA-SHOUMEI-300", "规格：300克饼", 13800),
        season=(11, 12, 1, 2),
    ),
    _ware(
        "【山野小铺】茉莉花茶 九窨 飘雪 小罐",
        6,
        ("TEA-MOLI-50", "净含量：50克", 4900),
        ("TEA-MOLI-200", "净含量：200克", 16800),
    ),
    _ware(
        "【山野小铺】杭白菊胎菊 无硫烘焙 罐装",
        8,
        ("TEA-JUHUA-40", "净含量：40克", 2990),
        ("TEA-JUHUA-80", "净含量：80克", 5290),
        season=(6, 7, 8),
    ),
    _ware(
        "【山野小铺】陈皮普洱 小青柑 便携装",
        6,
        ("TEA-QINGGAN-10", "规格：10颗", 3990),
        ("TEA-QINGGAN-40", "规格：40颗", 13900),
    ),
    _ware(
        "【山野小铺】手作粗陶盖碗 家用单个防烫",
        5,
        ("WARE-GAIWAN-WHITE", "颜色分类：月白釉", 6800),
        ("WARE-GAIWAN-INK", "颜色分类：乌金釉", 7800),
    ),
    _ware("【山野小铺】玻璃公道杯 加厚耐热 带茶漏", 5, ("WARE-GONGDAO", "颜色分类：透明300毫升", 3900)),
    _ware(
        "【山野小铺】宜兴紫砂壶 全手工 西施 家用小容量",
        2,
        ("WARE-ZISHA-180", "颜色分类：清水泥180毫升", 38800),
        ("WARE-ZISHA-240", "颜色分类：底槽青240毫升", 52800),
    ),
    _ware(
        "【山野小铺】旅行茶具快客杯 一壶两杯 便携包", 6, ("WARE-TRAVEL", "颜色分类：青灰", 8900), season=(4, 5, 9, 10)
    ),
    _ware(
        "【山野小铺】竹制茶盘 家用小型 储水式",
        3,
        ("WARE-TRAY-S", "尺寸：小号", 9900),
        ("WARE-TRAY-L", "尺寸：大号", 15900),
    ),
    _ware("【山野小铺】冷泡茶壶 大容量耐高温玻璃凉水壶", 5, ("WARE-COLD-1L", "容量：1升", 5900), season=(5, 6, 7, 8)),
    _ware(
        "【山野小铺】雪平锅 不粘奶锅 家用小汤锅 木柄",
        5,
        ("PAN-XUEPING-18", "尺寸：18厘米", 16900),
        ("PAN-XUEPING-20", "尺寸：20厘米-玻璃盖", 21900),
    ),
    _ware(
        "【山野小铺】铸铁平底煎锅 无涂层 牛排锅",
        4,
        ("PAN-IRON-24", "尺寸：24厘米", 19900),
        ("PAN-IRON-28", "尺寸：28厘米", 25900),
    ),
    _ware(
        "【山野小铺】砂锅炖锅 家用燃气 耐高温 煲汤",
        4,
        ("POT-CLAY-25", "容量：2.5升", 12900),
        ("POT-CLAY-40", "容量：4升", 18900),
        season=(11, 12, 1),
    ),
    _ware("【山野小铺】三德刀 家用菜刀 切片 厨师刀", 3, ("KNIFE-SANDE-17", "尺寸：17厘米", 34900)),
    _ware(
        "【山野小铺】乌檀木菜板 整木 切菜板 防霉",
        4,
        ("BOARD-S", "尺寸：36×24厘米", 9900),
        ("BOARD-L", "尺寸：45×30厘米", 15900),
    ),
    _ware(
        "【山野小铺】木铲汤勺套装 无漆 不伤锅",
        6,
        ("TOOL-WOOD-3", "规格：三件套", 4590),
        ("TOOL-WOOD-5", "规格：五件套", 6990),
    ),
    _ware(
        "【山野小铺】手绘釉下彩饭碗 家用 复古", 7, ("BOWL-4", "规格：四只装", 5990), ("BOWL-8", "规格：八只装", 10900)
    ),
    _ware(
        "【山野小铺】粗陶餐盘 日式 深盘 创意",
        6,
        ("PLATE-21", "尺寸：8英寸单只", 3290),
        ("PLATE-21-4", "尺寸：8英寸四只", 11900),
    ),
    _ware(
        "【山野小铺】棉麻茶巾 吸水加厚 三条装",
        8,
        ("CLOTH-3", "颜色分类：本色", 1990),
        ("CLOTH-3-INDIGO", "颜色分类：蓝染", 2590),
    ),
    _ware("【山野小铺】茶叶罐 密封罐 锡盖陶瓷 防潮", 5, ("JAR-S", "尺寸：小号", 3890), ("JAR-L", "尺寸：大号", 6890)),
    _ware(
        "【山野小铺】新年茶礼盒 红茶白茶组合 送长辈", 3, ("GIFT-NEWYEAR", "规格：双罐礼盒", 29800), season=(12, 1, 2)
    ),
    _ware("【山野小铺】中秋茶点礼盒 乌龙茶配绿豆糕", 3, ("GIFT-MOON", "规格：礼盒装", 19800), season=(8, 9)),
    _ware("【山野小铺】试喝装 六款茶各一泡 新客专享", 7, ("TEA-TASTE-6", "规格：六泡", 1990)),
)

# Small enough for a stable name in the scripts of the cast.
BY_CODE: dict[str, tuple[Ware, Choice]] = {choice.code: (ware, choice) for ware in WARES for choice in ware.choices}

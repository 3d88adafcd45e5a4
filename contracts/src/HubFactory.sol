// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IHubFactory} from "./interfaces/IHubFactory.sol";
import {IWhitelist} from "./interfaces/IWhitelist.sol";
import {Pages} from "./libraries/Pages.sol";
import {WalletConfig, WalletParameters} from "./types/Wallet.sol";

/// @title HubFactory
/// @notice See {IHubFactory}.
contract HubFactory is IHubFactory {
    /* IMMUTABLES */

    address private immutable IMPLEMENTATION;
    address private immutable DAO;
    address private immutable TREASURY;
    address private immutable CASES;
    address private immutable TOKEN;
    address private immutable WHITELIST;
    uint128 private immutable FREEZE_QUOTA;
    uint8 private immutable LOCK_PERCENT;
    uint16 private immutable DAO_FEE_PER_MILLE;
    uint32 private immutable PAYOUT_PERIOD;
    uint32 private immutable SUSPICION_PERIOD;

    /* STORAGE */

    /// @inheritdoc IHubFactory
    mapping(address wallet => bool) public isWallet;

    mapping(address owner => address[]) private _walletsOf;

    /* CONSTRUCTOR */

    /// @dev The whitelist is deployed first, with the address this factory will have; a whitelist for any other address
    /// is refused here, so that neither needs an owner who would join them later. A later factory of the same DAO lists
    /// nothing until a vote admits it.
    /// @param implementation_ A deployed `HubWallet`.
    /// @param parameters_ What every wallet of this factory is made with.
    constructor(address implementation_, WalletParameters memory parameters_) {
        _checkParameters(implementation_, parameters_);
        IMPLEMENTATION = implementation_;
        DAO = parameters_.dao;
        TREASURY = parameters_.treasury;
        CASES = parameters_.cases;
        TOKEN = parameters_.token;
        WHITELIST = parameters_.whitelist;
        FREEZE_QUOTA = parameters_.freezeQuota;
        LOCK_PERCENT = parameters_.lockPercent;
        DAO_FEE_PER_MILLE = parameters_.daoFeePerMille;
        PAYOUT_PERIOD = parameters_.payoutPeriod;
        SUSPICION_PERIOD = parameters_.suspicionPeriod;
    }

    /* WALLETS */

    /// @inheritdoc IHubFactory
    function createHub(bytes32 salt) external returns (address wallet) {
        wallet = predictHub(msg.sender, salt);
        // A colliding CREATE2 would burn the caller's gas without a word.
        if (isWallet[wallet]) revert WalletExists(wallet);
        Clones.cloneDeterministicWithImmutableArgs(IMPLEMENTATION, _arguments(msg.sender), _salt(msg.sender, salt));
        isWallet[wallet] = true;
        _walletsOf[msg.sender].push(wallet);
        emit HubCreated(wallet, msg.sender, salt, parameters());
        IWhitelist(WHITELIST).list(wallet, msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc IHubFactory
    function predictHub(address owner, bytes32 salt) public view returns (address) {
        return Clones.predictDeterministicAddressWithImmutableArgs(
            IMPLEMENTATION, _arguments(owner), _salt(owner, salt), address(this)
        );
    }

    /// @inheritdoc IHubFactory
    function walletCountOf(address owner) external view returns (uint256) {
        return _walletsOf[owner].length;
    }

    /// @inheritdoc IHubFactory
    function walletsOf(address owner, uint256 offset, uint256 limit) external view returns (address[] memory) {
        return Pages.slice(_walletsOf[owner], offset, limit);
    }

    /// @inheritdoc IHubFactory
    function implementation() external view returns (address) {
        return IMPLEMENTATION;
    }

    /// @inheritdoc IHubFactory
    function parameters() public view returns (WalletParameters memory) {
        return WalletParameters({
            dao: DAO,
            treasury: TREASURY,
            cases: CASES,
            token: TOKEN,
            whitelist: WHITELIST,
            freezeQuota: FREEZE_QUOTA,
            lockPercent: LOCK_PERCENT,
            daoFeePerMille: DAO_FEE_PER_MILLE,
            payoutPeriod: PAYOUT_PERIOD,
            suspicionPeriod: SUSPICION_PERIOD
        });
    }

    /* PRIVATE */

    function _arguments(address owner) private view returns (bytes memory) {
        return abi.encode(WalletConfig({owner: owner, factory: address(this), parameters: parameters()}));
    }

    /// @dev With the sender inside, nobody can make another hub's wallet, or take its address first (R11).
    function _salt(address owner, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(owner, salt));
    }

    function _checkParameters(address implementation_, WalletParameters memory p) private view {
        bool coded = implementation_.code.length != 0 && p.token.code.length != 0 && p.whitelist.code.length != 0;
        // A lock of everything would divide by zero in `grossOf`; a fee cannot exceed what it is taken from.
        bool governed = p.dao != address(0) && p.treasury != address(0);
        bool sensible = p.freezeQuota != 0 && p.lockPercent < 100 && p.daoFeePerMille <= 1000;
        if (!coded || !governed || !sensible) revert ParametersInvalid();
        address first = IWhitelist(p.whitelist).factory();
        if (first == address(this)) return;
        // A later factory of the same DAO, which the DAO may admit.
        if (first.code.length == 0 || IHubFactory(first).parameters().dao != p.dao) {
            revert WhitelistOfOtherFactory(first);
        }
    }
}
